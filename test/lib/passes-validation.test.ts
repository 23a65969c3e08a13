import { Size, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { Bucket, CfnBucket } from 'aws-cdk-lib/aws-s3';
import { MigrationAlarms, MigrationDashboard, MutualTls, SessionStore, SessionStoreAuthentication } from '../../lib';
import { createEverything } from './everything';
import { newMigration, newStack } from './fixture';
import { importedParts, newCutover, newParts, Parts } from './migration-parts';

/** The parts with everything that looks at them. */
function watch(stack: Stack, parts: Parts): void {
  const alarms = new MigrationAlarms(stack, 'Alarms', parts);
  const cutover = newCutover(stack, parts, alarms.rollbackAlarms);
  new MigrationDashboard(stack, 'Dashboard', { ...parts, cutover, alarms });
}

test.each<[string, (stack: Stack) => void]>([
  ['a migration with nothing but what it must have', (stack) => newMigration(stack)],
  ['every part that can be asked for', (stack) => createEverything(stack)],
  ['parts that are made one by one', (stack) => watch(stack, newParts(stack))],
  ['parts in an existing network and on an existing load balancer', (stack) => watch(stack, importedParts(stack))],
  [
    'mutual TLS, and a session store with IAM and limits',
    (stack) => {
      const authorities = Bucket.fromBucketName(stack, 'Authorities', 'the-authorities');
      newMigration(stack, { mutualTls: MutualTls.verifyBundle(authorities, 'clients.pem') });
      new SessionStore(stack, 'Sessions', {
        vpc: new Vpc(stack, 'Vpc'),
        authentication: SessionStoreAuthentication.IAM,
        maximumStorage: Size.gibibytes(5),
        maximumProcessingUnits: 5000,
      });
    },
  ],
])('CloudFormation would take %s', (_, create) => {
  const stack = newStack({ validated: true });
  create(stack);
  expect(() => Template.fromStack(stack)).not.toThrow();
});

test('CloudFormation would reject what breaks its rules', () => {
  const stack = newStack({ validated: true });
  new CfnBucket(stack, 'Bucket').addPropertyOverride('AccessControl', 'Everybody');
  expect(() => Template.fromStack(stack)).toThrow('CloudFormation-Validate::E3045');
});

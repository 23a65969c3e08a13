import { Template } from 'aws-cdk-lib/assertions';
import { isAllowed } from '../../../rehearsal/aws/iam/iam';
import { buildRights } from '../../../rehearsal/template/parts/rights';
import { Resources } from '../../../rehearsal/template/resources/resources';
import { CutoverPlan, PointOfNoReturn } from '../../../lib';
import { newMigration, newStack } from '../fixture';

const stack = newStack();
newMigration(stack, { plan: CutoverPlan.drainThenShift({ pointOfNoReturn: PointOfNoReturn.SHARED }) });
const resources = new Resources({
  name: 'Test',
  region: 'eu-central-1',
  account: '111122223333',
  template: Template.fromStack(stack).toJSON(),
  files: new Map(),
  images: new Map(),
});
const [store] = resources.ofType('AWS::S3::Bucket').filter(({ logicalId }) => /LoadBalancerStore/.test(logicalId));
const arn = store?.identity.attributes.Arn ?? '';
const rights = buildRights(resources);

type Context = Readonly<Record<string, string>>;
const ONCE: Context = { 's3:if-none-match': '*' };

/** What a role may do in the store, by its own policies and that of the bucket, as a rehearsal holds it to them. */
function may(role: RegExp, action: string, key = '', context: Context = {}): boolean {
  const [[, statements] = [], more] = [...rights].filter(([name]) => role.test(name));
  expect([statements, more]).toEqual([expect.any(Array), undefined]);
  return isAllowed(statements ?? [], `s3:${action}`, key === '' ? arn : `${arn}/${key}`, context);
}

describe.each([
  ['the source', /SourceTaskDefinitionTaskRole/],
  ['the target', /TargetTaskDefinitionTaskRole/],
])('a proxy task of %s', (_, task) => {
  test('reads which side serves, and what was decided', () => {
    for (const key of ['switch/regime.json', 'switch/decision/7.json']) expect(may(task, 'GetObject', key)).toBe(true);
  });

  test('learns that one of these is missing', () => {
    // S3 asks for the right to list with the key for the prefix, or with none.
    expect(may(task, 'ListBucket')).toBe(true);
    for (const prefix of ['switch/decision/7.json', 'switch/regime.json'])
      expect(may(task, 'ListBucket', '', { 's3:prefix': prefix })).toBe(true);
    expect(may(task, 'ListBucket', '', { 's3:prefix': 'evidence/' })).toBe(false);
  });

  test('writes a decision that is not there, and no other', () => {
    expect(may(task, 'PutObject', 'switch/decision/7.json', ONCE)).toBe(true);
    expect(may(task, 'PutObject', 'switch/decision/7.json')).toBe(false);
    expect(may(task, 'PutObject', 'switch/decision/7.json', { 's3:if-match': '"etag"' })).toBe(false);
  });

  test('may do nothing else with the store', () => {
    const others = ['lock.json', 'abort/a.json', 'approval/a.json', 'evidence/a.json', 'switch/other.json'];
    for (const key of others)
      for (const action of ['GetObject', 'PutObject']) expect(may(task, action, key, ONCE)).toBe(false);
    expect(may(task, 'PutObject', 'switch/regime.json', ONCE)).toBe(false);
    for (const key of ['switch/regime.json', 'switch/decision/7.json'])
      expect(may(task, 'DeleteObject', key)).toBe(false);
  });
});

test.each([
  ['Switch', true],
  ['Rollback', true],
  ['Recover', true],
  // It ends a switch that a lost lock has left.
  ['Preflight', true],
  ['Shift', false],
  ['Complete', false],
])('the step %s writes a decision once: %s', (step, expected) => {
  const role = new RegExp(`CutoverSteps${step}ServiceRole`);
  expect(may(role, 'PutObject', 'switch/decision/7.json', ONCE)).toBe(expected);
  expect(may(role, 'PutObject', 'switch/decision/7.json')).toBe(false);
});

test('no one writes a decision a second time, whatever else they may do', () => {
  const everything = { Effect: 'Allow', Action: 's3:*', Resource: '*' } as const;
  const [[, ofBucket] = []] = [...rights].filter(([name]) => /CutoverStepsLockServiceRole/.test(name));
  const statements = [everything, ...(ofBucket ?? [])];
  const write = (key: string, context: Context) => isAllowed(statements, 's3:PutObject', `${arn}/${key}`, context);
  expect(write('switch/decision/7.json', {})).toBe(false);
  expect(write('switch/decision/7.json', { 's3:ObjectCreationOperation': 'false' })).toBe(false);
  expect(write('switch/decision/7.json', ONCE)).toBe(true);
  expect(write('switch/regime.json', {})).toBe(true);
  expect(write('lock.json', {})).toBe(true);
});

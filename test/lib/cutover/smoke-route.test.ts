import { Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { ApplicationListener, ApplicationLoadBalancer } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { SmokeRoute } from '../../../lib';
import {
  defaultMigration,
  newMigration,
  newStack,
  Resource,
  resolveText,
  resourceLike,
  listResources,
} from '../fixture';

const ARN = 'arn:aws:elasticloadbalancing:eu-west-1:444455556666';

/** Behind a listener with traffic and public addresses, so that there is a proof, too. */
function toTargets(stack: Stack): Template {
  const vpc = new Vpc(stack, 'Vpc');
  const securityGroupId = 'sg-0123456789abcdef3';
  const loadBalancer = ApplicationLoadBalancer.fromApplicationLoadBalancerAttributes(stack, 'LoadBalancer', {
    loadBalancerArn: `${ARN}:loadbalancer/app/booking/0123456789abcdef`,
    securityGroupId,
    vpc,
  });
  const listener = ApplicationListener.fromApplicationListenerAttributes(stack, 'Listener', {
    listenerArn: `${ARN}:listener/app/booking/0123456789abcdef/fedcba9876543210`,
    securityGroup: SecurityGroup.fromSecurityGroupId(stack, 'Group', securityGroupId),
  });
  const smokeRoute = SmokeRoute.TARGETS;
  newMigration(stack, { vpc, loadBalancer, listener, internetFacing: true, smokeRoute, monitoring: false });
  return Template.fromStack(stack);
}

describe('to the targets themselves', () => {
  const template = toTargets(newStack());
  const listRules = (type: string) =>
    Object.entries(listResources(template, type)).map(([, { Properties }]) => Properties);

  test('the data port of both sides is opened to the steps, and no smoke-test listener, to no one', () => {
    const [steps] = resourceLike(template, 'AWS::EC2::SecurityGroup', /^MigrationCutoverSecurityGroup/);
    const fromSteps = listRules('AWS::EC2::SecurityGroupIngress').filter((rule) =>
      JSON.stringify(rule.SourceSecurityGroupId).includes(steps),
    );
    const formatName = (rule: Resource['Properties']) =>
      `${/Migration(Source|Target)/.exec(JSON.stringify(rule.GroupId))?.[1]}:${String(rule.FromPort)}`;
    expect(fromSteps.map(formatName).sort()).toEqual(['Source:8443', 'Source:9901', 'Target:8443', 'Target:9901']);
    const text = JSON.stringify(template.toJSON());
    expect(text).not.toMatch(/"(FromPort|ToPort)":920[12]/);
    expect(text).not.toMatch(/"SecurityGroupIngress"|"CidrIp":\{/);
  });

  test('the steps and the proof know it', () => {
    for (const [step, variable] of [
      ['StepsRollback', 'DRAINSHIFT_CUTOVER_CONFIG'],
      ['StepsUndrain', 'DRAINSHIFT_CUTOVER_CONFIG'],
      ['AdoptionProof', 'DRAINSHIFT_PROOF'],
    ] as const) {
      const [, { Properties }] = resourceLike(template, 'AWS::Lambda::Function', new RegExp(`Cutover${step}`));
      const { Variables } = Properties.Environment as { Variables: Record<string, unknown> };
      expect(JSON.parse(resolveText(Variables[variable]))).toMatchObject({ smokeRoute: 'targets' });
    }
  });

  test('no one may look at load balancers and listeners, for which no one asks any more', () => {
    const policies = listRules('AWS::IAM::Policy').map((properties) => JSON.stringify(properties));
    expect(policies.some((text) => text.includes('elasticloadbalancing:DescribeTargetHealth'))).toBe(true);
    expect(policies.filter((text) => /DescribeL(oadBalanc|isten)ers"/.test(text))).toEqual([]);
  });
});

test('default: through the listeners', () => {
  const [, { Properties }] = resourceLike(defaultMigration(), 'AWS::Lambda::Function', /StepsRollback/);
  const { Variables } = Properties.Environment as { Variables: { DRAINSHIFT_CUTOVER_CONFIG: unknown } };
  expect(JSON.parse(resolveText(Variables.DRAINSHIFT_CUTOVER_CONFIG))).not.toHaveProperty('smokeRoute');
});

test('rejected: authorities for a certificate that nothing checks', () => {
  const stack = newStack();
  const trustedAuthorities = Secret.fromSecretNameV2(stack, 'Imported', 'authorities');
  expect(() => newMigration(stack, { smokeRoute: SmokeRoute.TARGETS, trustedAuthorities })).toThrow(
    "'trustedAuthorities' must be absent with SmokeRoute.TARGETS, which checks no certificate, as the load balancer does not, got a secret",
  );
});

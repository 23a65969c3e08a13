import { Template } from 'aws-cdk-lib/assertions';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { CutoverWiring } from '../../core/wiring';
import { defaultMigration, newMigration, newStack, resolveText, resourceLike } from './fixture';

function wiringOf(template: Template): CutoverWiring {
  const [, shift] = resourceLike(template, 'AWS::Lambda::Function', /StepsShift[0-9A-F]{8}$/);
  const { Variables } = shift.Properties.Environment as { Variables: { DRAINSHIFT_WIRING: unknown } };
  return JSON.parse(resolveText(Variables.DRAINSHIFT_WIRING)) as CutoverWiring;
}

test('default: a network, a load balancer, two services and a cutover', () => {
  const template = defaultMigration();
  template.resourceCountIs('AWS::EC2::VPC', 1);
  template.resourceCountIs('AWS::ElasticLoadBalancingV2::LoadBalancer', 1);
  template.resourceCountIs('AWS::ECS::Service', 2);
  template.resourceCountIs('AWS::StepFunctions::StateMachine', 1);
});

test('default: says where it is', () => {
  const outputs = Object.keys(defaultMigration().findOutputs('*'));
  for (const name of ['LoadBalancerDnsName', 'StateMachineArn', 'StoreBucket']) {
    expect(outputs).toContainEqual(expect.stringContaining(name));
  }
});

test('default: the steps know every part that they act on', () => {
  expect(wiringOf(defaultMigration())).toEqual({
    loadBalancerArn: expect.stringMatching(/^MigrationLoadBalancer[0-9A-F]{8}$/) as string,
    weightedRuleArn: expect.stringContaining('WeightedRule') as string,
    weightedListenerArn: expect.stringContaining('LoadBalancerTraffic') as string,
    smokeListenerArns: {
      source: expect.stringContaining('LoadBalancerSource') as string,
      target: expect.stringContaining('LoadBalancerTarget') as string,
    },
    targetGroupArns: {
      source: expect.stringContaining('SourceGroup') as string,
      target: expect.stringContaining('TargetGroup') as string,
    },
    clusterArn: expect.stringContaining('Cluster') as string,
    serviceNames: {
      source: expect.stringContaining('SourceService') as string,
      target: expect.stringContaining('TargetService') as string,
    },
    adminPort: 9901,
    adminSecretArn: expect.stringContaining('AdminSecret') as string,
    storeBucket: expect.stringContaining('Store') as string,
    domainName: 'shop.example.com',
  });
});

test('default: the store is private, encrypted, versioned and outlives the stack', () => {
  const [, store] = resourceLike(defaultMigration(), 'AWS::S3::Bucket', /Store/);
  expect(store).toMatchObject({
    DeletionPolicy: 'Retain',
    Properties: {
      BucketEncryption: expect.anything() as object,
      VersioningConfiguration: { Status: 'Enabled' },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
    },
  });
});

test('default: the admin secret is generated, of letters and digits', () => {
  defaultMigration().hasResourceProperties('AWS::SecretsManager::Secret', {
    GenerateSecretString: { PasswordLength: 64, ExcludePunctuation: true },
  });
});

test('custom: somebody may be allowed to start a cutover', () => {
  const stack = newStack();
  const operators = new Role(stack, 'Operators', { assumedBy: new ServicePrincipal('chatbot.amazonaws.com') });
  newMigration(stack).cutover.grantStart(operators);
  Template.fromStack(stack).hasResourceProperties('AWS::IAM::Policy', {
    Roles: [{ Ref: stack.getLogicalId(operators.node.defaultChild as never) }],
    PolicyDocument: { Statement: [{ Action: 'states:StartExecution', Effect: 'Allow' }] },
  });
});

test('imported: takes a network of another stack', () => {
  const stack = newStack();
  const vpc = Vpc.fromVpcAttributes(stack, 'Imported', {
    vpcId: 'vpc-0123456789abcdef0',
    availabilityZones: ['a', 'b'],
    privateSubnetIds: ['subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'],
  });
  newMigration(stack, { vpc });
  Template.fromStack(stack).resourceCountIs('AWS::EC2::VPC', 0);
});

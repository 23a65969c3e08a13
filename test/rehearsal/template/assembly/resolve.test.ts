import { identifier } from '../../../../rehearsal/template/assembly/identify';
import { Resolver } from '../../../../rehearsal/template/assembly/resolve';
import { Stack, Template } from '../../../../rehearsal/template/assembly/template';

function findResolver(template: Template): Resolver {
  const stack: Stack = {
    name: 'Shop',
    region: 'eu-central-1',
    account: '111122223333',
    template,
    files: new Map(),
    images: new Map(),
  };
  return new Resolver(stack, identifier(stack));
}

const resolver = findResolver({
  Parameters: {
    Size: { Type: 'Number', Default: 3 },
    Empty: { Type: 'String' },
    Ids: { Type: 'List<AWS::EC2::Subnet::Id>', Default: 'a, b' },
  },
  Mappings: { Regions: { 'eu-central-1': { short: 'fra' } } },
  Conditions: {
    Big: { 'Fn::Equals': [{ Ref: 'Size' }, '3'] },
    Small: { 'Fn::Not': [{ Condition: 'Big' }] },
    Both: { 'Fn::And': [{ Condition: 'Big' }, { Condition: 'Small' }] },
    Any: { 'Fn::Or': [{ Condition: 'Big' }, { Condition: 'Small' }] },
  },
  Resources: {
    Bucket: { Type: 'AWS::S3::Bucket' },
    Secret: { Type: 'AWS::SecretsManager::Secret' },
    Odd: { Type: 'Custom::Odd' },
    Front: {
      Type: 'AWS::ElasticLoadBalancingV2::Listener',
      Properties: { LoadBalancerArn: { 'Fn::ImportValue': 'arn:aws:elb:r:1:loadbalancer/app/front/1' } },
    },
    OnFront: {
      Type: 'AWS::ElasticLoadBalancingV2::ListenerRule',
      Properties: { ListenerArn: { 'Fn::GetAtt': ['Front', 'ListenerArn'] } },
    },
  },
});

test.each<[string, unknown, unknown]>([
  ['Ref of a parameter', { Ref: 'Size' }, 3],
  ['Ref of a parameter that is a list', { Ref: 'Ids' }, ['a', 'b']],
  ['Ref of a parameter without a default', { Ref: 'Empty' }, ''],
  ['Ref of a pseudo parameter', { Ref: 'AWS::Region' }, 'eu-central-1'],
  ['Ref of AWS::NoValue', { a: { Ref: 'AWS::NoValue' }, b: 1 }, { b: 1 }],
  ['Fn::Join', { 'Fn::Join': ['-', ['a', { Ref: 'AWS::AccountId' }, 1]] }, 'a-111122223333-1'],
  ['Fn::Sub', { 'Fn::Sub': '${AWS::Partition}/${Size}/${!Literal}' }, 'aws/3/${Literal}'],
  [
    'Fn::Sub with its own variables',
    { 'Fn::Sub': ['${X}.${AWS::URLSuffix}', { X: { Ref: 'Size' } }] },
    '3.amazonaws.com',
  ],
  ['Fn::Select of Fn::Split', { 'Fn::Select': [1, { 'Fn::Split': [':', 'a:b:c'] }] }, 'b'],
  ['Fn::FindInMap', { 'Fn::FindInMap': ['Regions', { Ref: 'AWS::Region' }, 'short'] }, 'fra'],
  ['Fn::If', { 'Fn::If': ['Big', 'yes', 'no'] }, 'yes'],
  ['Fn::If with a negated condition', { 'Fn::If': ['Small', 'yes', { Ref: 'AWS::NoValue' }] }, undefined],
  ['Fn::And', { 'Fn::If': ['Both', 1, 2] }, 2],
  ['Fn::Or', { 'Fn::If': ['Any', 1, 2] }, 1],
  ['Fn::Base64', { 'Fn::Base64': 'hi' }, 'aGk='],
  ['Fn::GetAZs', { 'Fn::GetAZs': '' }, ['eu-central-1a', 'eu-central-1b', 'eu-central-1c']],
  ['an unknown attribute', { 'Fn::GetAtt': ['Odd', 'Thing'] }, 'Odd.Thing'],
  ['a plain value', [1, 'a', null, { b: true }], [1, 'a', null, { b: true }]],
])('%s', (_, value, expected) => expect(resolver.resolve(value)).toEqual(expected));

test('the same resource has the same identity at every mention', () => {
  const arn = resolver.text({ 'Fn::GetAtt': ['Bucket', 'Arn'] });
  expect(arn).toBe(`arn:aws:s3:::${resolver.text({ Ref: 'Bucket' })}`);
  expect(resolver.text({ 'Fn::Sub': '${Bucket.Arn}/*' })).toBe(`${arn}/*`);
  expect(resolver.text({ Ref: 'Secret' })).toMatch(
    /^arn:aws:secretsmanager:eu-central-1:111122223333:secret:Secret-[0-9a-f]{6}$/,
  );
});

test('a reference to nothing is said by its name', () => {
  expect(() => resolver.resolve({ Ref: 'Gone' })).toThrow(
    "the template of 'Shop' must define what it refers to, got 'Gone'",
  );
});

test('a name that contains another one is made of it, by whatever intrinsic it is given', () => {
  expect(resolver.text({ Ref: 'OnFront' })).toMatch(
    /^arn:aws:elb:r:1:listener-rule\/app\/front\/1\/[0-9a-f]{16}\/[0-9a-f]{16}$/,
  );
});

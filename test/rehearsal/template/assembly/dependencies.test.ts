import { creationOrder } from '../../../../rehearsal/template/assembly/dependencies';

test('each resource comes after what it refers to, in any of the ways to refer, and after what it depends on', () => {
  const order = creationOrder({
    Resources: {
      Rule: {
        Type: 'Custom::Rule',
        DependsOn: ['Policy'],
        Properties: { Token: { 'Fn::GetAtt': ['Function', 'Arn'] }, Listener: { Ref: 'Listener' } },
      },
      Listener: { Type: 'L', Properties: { Deep: [{ Balancer: { 'Fn::Sub': 'a ${Balancer.Arn} ${!Literal}' } }] } },
      Policy: { Type: 'P', DependsOn: 'Role' },
      Function: { Type: 'F', Properties: { Role: { 'Fn::GetAtt': 'Role.Arn' }, Region: { Ref: 'AWS::Region' } } },
      Role: { Type: 'R' },
      Balancer: { Type: 'B' },
    },
  });
  expect(order).toHaveLength(6);
  const before = (a: string, b: string) => order.indexOf(a) < order.indexOf(b);
  expect(before('Balancer', 'Listener') && before('Listener', 'Rule')).toBe(true);
  expect(before('Role', 'Policy') && before('Policy', 'Rule')).toBe(true);
  expect(before('Role', 'Function') && before('Function', 'Rule')).toBe(true);
});

test('a circle, which CloudFormation rejects, is no endless search', () => {
  const refer = (Ref: string) => ({ Type: 'T', Properties: { a: { Ref } } });
  expect(creationOrder({ Resources: { A: refer('B'), B: refer('A') } }).sort()).toEqual(['A', 'B']);
});

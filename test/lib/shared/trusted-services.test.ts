import { Template } from 'aws-cdk-lib/assertions';
import { createEverything } from '../everything';
import { newStack, listResources } from '../fixture';

interface Trust {
  readonly Statement: readonly { readonly Principal: { readonly Service?: unknown }; readonly Condition?: object }[];
}

/** Roles of providers that aws-cdk-lib makes in the stack, outside of the constructs here. */
const NOT_OURS = /^(Custom|LogRetention|AWS679)/;

let template: Template;
beforeAll(() => {
  const stack = newStack();
  createEverything(stack);
  template = Template.fromStack(stack);
});

test('a service takes a role for its own account alone', () => {
  const roles = Object.entries(listResources(template, 'AWS::IAM::Role'));
  const found = roles.filter(([id]) => !NOT_OURS.test(id));
  const open = found.flatMap(([id, { Properties }]) =>
    (Properties.AssumeRolePolicyDocument as Trust).Statement.filter(
      ({ Condition }) => !JSON.stringify(Condition ?? {}).includes('"aws:SourceAccount":{"Ref":"AWS::AccountId"}'),
    ).map(({ Principal }) => `${id}: ${JSON.stringify(Principal.Service)}`),
  );
  expect(found.length).toBeGreaterThan(20);
  // EC2 names no account.
  expect(open.filter((each) => !each.endsWith('"ec2.amazonaws.com"'))).toEqual([]);
});

test('a service calls a function for its own account alone: by the account, or by an ARN of the stack', () => {
  const permissions = Object.values(listResources(template, 'AWS::Lambda::Permission'));
  const open = permissions.filter(({ Properties: { SourceAccount, SourceArn } }) => {
    const isOwn = JSON.stringify(SourceAccount) === '{"Ref":"AWS::AccountId"}';
    return !isOwn && !Object.hasOwn(SourceArn ?? {}, 'Fn::GetAtt');
  });
  expect(new Set(permissions.map(({ Properties }) => Properties.Principal))).toEqual(
    new Set(['events.amazonaws.com', 'secretsmanager.amazonaws.com']),
  );
  expect(open).toEqual([]);
});

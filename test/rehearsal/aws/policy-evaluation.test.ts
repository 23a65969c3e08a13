import { PolicyStatement, isAllowed } from '../../../rehearsal/aws/iam/iam';

const RULE = 'arn:aws:elasticloadbalancing:eu-central-1:1:listener-rule/app/front/1/2/3';
const allow = (more: Partial<PolicyStatement>): PolicyStatement => ({
  Effect: 'Allow',
  Action: '*',
  Resource: '*',
  ...more,
});
const deny = (more: Partial<PolicyStatement>): PolicyStatement => ({ ...allow(more), Effect: 'Deny' });
const may = (statements: PolicyStatement[], context = {}) =>
  isAllowed(statements, 'elasticloadbalancing:ModifyRule', RULE, context);

test.each([
  ['nothing is allowed by default', [], false],
  ['a star allows', [allow({})], true],
  ['actions ignore case', [allow({ Action: 'ElasticLoadBalancing:modifyrule' })], true],
  ['wildcards of actions', [allow({ Action: ['ecs:*', 'elasticloadbalancing:Modify*'] })], true],
  ['a question mark is one character', [allow({ Action: 'elasticloadbalancing:ModifyRul?' })], true],
  ['a question mark is not none', [allow({ Action: 'elasticloadbalancing:ModifyRule?' })], false],
  ['a dot is a dot', [allow({ Resource: RULE.replace('front', 'f.ont') })], false],
  ['resources keep case', [allow({ Resource: RULE.toUpperCase() })], false],
  ['wildcards of resources', [allow({ Resource: 'arn:aws:elasticloadbalancing:*:*:listener-rule/app/front/*' })], true],
  ['an explicit deny wins', [allow({}), deny({ Resource: RULE })], false],
  ['a deny of something else does not', [allow({}), deny({ Action: 'ecs:*' })], true],
  ['NotAction allows all others', [allow({ Action: undefined, NotAction: 'ecs:*' })], true],
  ['NotAction leaves out its own', [allow({ Action: undefined, NotAction: 'elasticloadbalancing:*' })], false],
  ['NotResource leaves out its own', [allow({ Resource: undefined, NotResource: RULE })], false],
  ['a statement without a resource covers none', [allow({ Resource: undefined })], false],
])('%s', (_name, statements: PolicyStatement[], expected) => {
  expect(may(statements)).toBe(expected);
});

const TAG_KEYS = 'aws:TagKeys';
const ONE_TAG = { 'ForAllValues:StringEquals': { [TAG_KEYS]: ['mark'] }, Null: { [TAG_KEYS]: 'false' } };

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
test.each<[string, NonNullable<PolicyStatement['Condition']>, string[] | undefined, boolean]>([
  ['all values, of one', ONE_TAG, ['mark'], true],
  ['all values, of one more', ONE_TAG, ['mark', 'owner'], false],
  ['all values, of another', ONE_TAG, ['owner'], false],
  ['all values but none', ONE_TAG, [], false],
  ['all values but no key', ONE_TAG, undefined, false],
  ['all values holds of none', { 'ForAllValues:StringEquals': { [TAG_KEYS]: 'mark' } }, [], true],
  ['and of no key', { 'ForAllValues:StringLike': { 'AWS:tagkeys': 'm*' } }, undefined, true],
  ['all values differ', { 'ForAllValues:StringNotEquals': { [TAG_KEYS]: ['a', 'b'] } }, ['c', 'd'], true],
  ['one of all values does not', { 'ForAllValues:StringNotEquals': { [TAG_KEYS]: ['a', 'b'] } }, ['c', 'b'], false],
  ['any value', { 'ForAnyValue:StringEquals': { [TAG_KEYS]: ['mark', 'x'] } }, ['owner', 'mark'], true],
  ['any value of others', { 'ForAnyValue:StringEquals': { [TAG_KEYS]: 'mark' } }, ['owner'], false],
  ['any value of none', { 'ForAnyValue:StringEquals': { [TAG_KEYS]: 'mark' } }, [], false],
  ['any value of no key that must differ', { 'ForAnyValue:StringNotEquals': { [TAG_KEYS]: 'mark' } }, undefined, false],
  ['any value unless absent', { 'ForAnyValue:StringEqualsIfExists': { [TAG_KEYS]: 'mark' } }, undefined, true],
  ['many values without a set operator', { StringLike: { [TAG_KEYS]: '*' } }, ['mark', 'owner'], false],
  ['a key that must be absent', { Null: { [TAG_KEYS]: true } }, undefined, true],
  ['a key that must be absent and is not', { Null: { [TAG_KEYS]: 'true' } }, ['mark'], false],
  ['a set of an unknown operator', { 'ForAllValues:NumericLessThan': { [TAG_KEYS]: '1' } }, [], false],
  ['an unknown set', { 'ForNoValue:StringEquals': { [TAG_KEYS]: 'mark' } }, ['mark'], false],
])('condition of many values: %s', (_name, Condition, keys, expected) => {
  expect(may([allow({ Condition })], keys && { [TAG_KEYS]: keys })).toBe(expected);
});

const CONTEXT = { 'ecs:cluster': 'arn:aws:ecs:eu-central-1:1:cluster/web' };

test.each([
  ['StringEquals', { StringEquals: { 'ecs:cluster': ['x', CONTEXT['ecs:cluster']] } }, true],
  ['StringEquals has no wildcards', { StringEquals: { 'ecs:cluster': '*' } }, false],
  ['StringLike has', { StringLike: { 'ECS:Cluster': 'arn:*:cluster/w?b' } }, true],
  ['ArnLike', { ArnLike: { 'ecs:cluster': 'arn:aws:ecs:*:*:cluster/*' } }, true],
  ['ArnEquals takes wildcards too, part by part', { ArnEquals: { 'ecs:cluster': 'arn:aws:ecs:*:cluster/web' } }, false],
  ['a key that the request lacks fails', { StringEquals: { 'aws:other': 'x' } }, false],
  ['unless it may be absent', { StringEqualsIfExists: { 'aws:other': 'x' } }, true],
  ['or must differ', { StringNotEquals: { 'aws:other': 'x' } }, true],
  ['all keys must hold', { StringLike: { 'ecs:cluster': '*', 'aws:other': '*' } }, false],
  ['a call counts as made over TLS', { Bool: { 'aws:SecureTransport': true } }, true],
  ['an unknown operator never allows', { NumericLessThan: { 'ecs:cluster': '1' } }, false],
  ['nor does one with a name of JavaScript', { constructor: { 'ecs:cluster': '1' } }, false],
])('condition: %s', (_name, Condition: PolicyStatement['Condition'], expected) => {
  expect(may([allow({ Condition })], CONTEXT)).toBe(expected);
});

test('a deny without TLS does not strike, a deny that cannot be evaluated does', () => {
  expect(may([allow({}), deny({ Condition: { Bool: { 'aws:SecureTransport': 'false' } } })])).toBe(true);
  expect(may([allow({}), deny({ Condition: { NumericLessThan: { 'aws:any': '1' } } })])).toBe(false);
});

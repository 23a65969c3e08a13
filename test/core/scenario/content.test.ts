import { Content, findMismatch } from '../../../core/scenario/content';
import { describeSaved, findSaved } from '../../../core/scenario/saved';
import { fillJson, fillText, listVariables } from '../../../core/scenario/variables';

const values = { client: '7', csrf: 'a"b' };
const judge = (content: Content, got: string) => findMismatch(content, got, values);
const long = `${'a'.repeat(100)}X${'a'.repeat(100)}`;

test.each<[string, Content, string]>([
  ['nothing is asked for', {}, 'anything'],
  ['the text', { text: 'user 7' }, 'user 7'],
  ['the text with a variable', { text: 'user ${client}' }, 'user 7'],
  ['the named fields', { json: { a: 1 } }, '{"a":1,"b":2}'],
  ['a variable in JSON', { json: { user: '${client}' } }, '{"user":"7"}'],
  ['each item of a list, of objects the named fields', { json: [{ a: 1 }, { a: 2 }] }, '[{"a":1,"b":1},{"a":2}]'],
  ['null', { json: null }, 'null'],
  ['an empty object: any object', { json: {} }, '{"a":1}'],
  ['a match over lines', { matches: 'a.*b' }, 'x a\n b y'],
  ['all that is given', { text: '{"a":1}', json: { a: 1 }, matches: 'a' }, '{"a":1}'],
])('%s is right', (_, content, got) => {
  expect(judge(content, got)).toBeUndefined();
});

test.each<[string, Content, string, string, string]>([
  ['another text', { text: 'a' }, 'b', "'a'", "'b'"],
  ['an empty text', { text: 'a' }, '', "'a'", 'an empty text'],
  [
    'a long text, shown where it differs',
    { text: 'a'.repeat(201) },
    long,
    expect.stringMatching(/^'…a{60}…'$/) as string,
    expect.stringMatching(/^'…a{15}Xa{44}…'$/) as string,
  ],
  ['no JSON', { json: {} }, '<html>', 'JSON', "'<html>'"],
  ['another value', { json: { a: [{ price: 10 }] } }, '{"a":[{"price":12}]}', '10 at /a/0/price', '12'],
  ['a number as a text', { json: { a: 1 } }, '{"a":"1"}', '1 at /a', '"1"'],
  ['no value', { json: { a: 1 } }, '{}', '1 at /a', 'nothing'],
  ['what every object has is no value', { json: { constructor: {} } }, '{}', '{} at /constructor', 'nothing'],
  ['a longer list', { json: [1] }, '[1,2]', '1 item', '2 items'],
  ['an object for a list', { json: { a: [] } }, '{"a":{}}', '[] at /a', '{}'],
  ['no match', { matches: '^\\d+$' }, 'abc', 'a match of /^\\d+$/', "'abc'"],
  [
    'a secret is not shown',
    { json: { accessToken: 'abc' } },
    '{"accessToken":"xyz"}',
    'a value that is not shown at /accessToken',
    'a value that is not shown',
  ],
  ['a name with a slash', { json: { 'a/b': 1 } }, '{"a/b":2}', '1 at /a~1b', '2'],
])('%s is wrong', (_, content, got, expected, shown) => {
  expect(judge(content, got)).toEqual({ expected, got: shown });
});

test('variables stand for values in texts and in JSON; what is doubled stands for itself', () => {
  expect(fillText('${client} $${client} ${other} $client', values)).toBe('7 ${client} ${other} $client');
  expect(fillJson({ '${client}': ['${csrf}', 1, null] }, values)).toEqual({ 7: ['a"b', 1, null] });
  expect(listVariables({ a: ['${x} $${y}'], '${z}': '${constructor}' })).toEqual(['x', 'z', 'constructor']);
  expect(fillText('${constructor}', {})).toBe('${constructor}');
});

test('values are found in JSON, by an expression, in header fields and in cookies', () => {
  const from = {
    body: '{"items":[{"id":12,"a/b":true}],"none":null,"csrf":"abc"}',
    header: (name: string) => (name === 'x-token' ? 'header' : undefined),
    cookie: (name: string) => (name === 'XSRF' ? 'cookie' : undefined),
  };
  expect(
    [
      { json: '/items/0/id' },
      { json: '/items/0/a~1b' },
      { json: '/items' },
      { json: '/none' },
      { json: '/items/0/constructor' },
      { matches: '"csrf":"([^"]+)"' },
      { matches: 'nothing(x)' },
      { header: 'X-Token' },
      { cookie: 'XSRF' },
    ].map((saved) => findSaved(saved, from)),
  ).toEqual(['12', 'true', undefined, undefined, undefined, 'abc', undefined, 'header', 'cookie']);
  expect(findSaved({ json: '/a' }, { ...from, body: 'no JSON' })).toBeUndefined();
  expect(describeSaved({ header: 'x' })).toBe('in the header x');
});

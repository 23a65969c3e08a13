import { Content, differInHeader, findMismatch, showForm } from '../../../core/scenario/content';
import { describeSaved, findSaved } from '../../../core/scenario/saved';
import { hideSecrets } from '../../../core/scenario/secrets';
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

const JWT = 'eyJhbGciOi.eyJzdWIi.c2ln';
const NOT_SHOWN = 'a value that is not shown';

test.each<[string, Content, string, string, string]>([
  [
    'a body that does not match',
    { matches: '^ok$' },
    `{"access_token":"${JWT}"}`,
    'a match of /^ok$/',
    `'{"access_token":"***"}'`,
  ],
  [
    'one that is cut off',
    { matches: '^ok$' },
    '{"id":1,"access_token":"abc',
    'a match of /^ok$/',
    `'{"id":1,"access_token":***'`,
  ],
  ['a text', { text: 'ok' }, 'session=abcdef; lang=de', "'ok'", "'session=***; lang=de'"],
  ['a text that is expected', { text: 'session=abcdef' }, 'none', "'session=***'", "'none'"],
  [
    'a text with another one',
    { text: 'session=abc' },
    'session=abd',
    "'session=***'",
    `the same with ${NOT_SHOWN} in it`,
  ],
  ['what is no JSON', { json: {} }, 'user=me&password=hunter2', 'JSON', "'user=me&password=***'"],
  [
    'an object',
    { json: { user: 'me' } },
    '{"user":{"token":"s3cret","n":1}}',
    '"me" at /user',
    '{"token":"***","n":1}',
  ],
  [
    'what is below the name',
    { json: { session: { id: 1 } } },
    '{"session":{"id":2}}',
    `${NOT_SHOWN} at /session/id`,
    NOT_SHOWN,
  ],
  ['an expression', { matches: 'token=abc' }, 'token=abd', 'a match of /token=***/', "'token=***'"],
  ['a text of a variable', { text: '${csrf}' }, 'other', "'${csrf}'", NOT_SHOWN],
  ['a value of a variable', { json: { next: '${csrf}' } }, '{"next":"other"}', `${NOT_SHOWN} at /next`, NOT_SHOWN],
  [
    'whether there is one is not',
    { json: { hasSession: true, token: 1 } },
    '{"hasSession":false}',
    'true at /hasSession',
    'false',
  ],
  ['that it is missing is not', { json: { token: 'a' } }, '{}', `${NOT_SHOWN} at /token`, 'nothing'],
])('no report has a secret: %s', (_, content, got, expected, shown) => {
  expect(judge(content, got)).toEqual({ expected, got: shown });
});

test.each([
  ['Set-Cookie', 'sid=abc', 'sid=abd', `Set-Cookie: ${NOT_SHOWN}`, 'another one'],
  ['Set-Cookie', 'sid=abc', undefined, `Set-Cookie: ${NOT_SHOWN}`, 'none'],
  ['location', '/done?code=${csrf}', '/done', `location: ${NOT_SHOWN}`, 'another one'],
  ['location', '/a', '/b?access_token=abc', 'location: /a', '/b?access_token=***'],
])('no report has the secret of a header field: %s %s', (name, expected, got, wanted, shown) => {
  expect(differInHeader(name, expected, got, values)).toEqual({ expected: wanted, got: shown });
});

test.each([
  ['Authorization: Bearer abcdefgh', 'Authorization: ***'],
  ['got Bearer abcdefgh here', 'got Bearer *** here'],
  [`jwt is ${JWT}, ok`, 'jwt is ***, ok'],
  [
    '<input type="hidden" name="csrf" value="abc"><b value="x">',
    '<input type="hidden" name="csrf" value="***"><b value="x">',
  ],
  ['<meta content=abc name=csrf-token>', '<meta content="***" name=csrf-token>'],
  ['<div data-page="{&quot;token&quot;:&quot;abc&quot;}">', '<div data-page="***">'],
  ['{"body":"{\\"password\\":\\"abc\\"}","a":1}', '{"body":"{\\"password\\":\\"***\\"}","a":1}'],
  ['log \\"token\\":\\"abc\\" end', 'log \\"token\\":*** end'],
  ["{'api_key': 'a b', 'c': 1}", "{'api_key': ***, 'c': 1}"],
  ['user[password]=x&b=1', 'user[password]=***&b=1'],
  ['{"secrets":{"a":"b"', '{"secrets":***'],
  ['PHPSESSID=abc; lang=de', 'PHPSESSID=***; lang=de'],
  ['{"a" : 1, "passengers": 3, "token": null}', '{"a" : 1, "passengers": 3, "token": null}'],
  ['key: ${x}, price: 7', 'key: ${x}, price: 7'],
])('%s is shown as %s', (text, shown) => {
  expect(hideSecrets(text)).toBe(shown);
});

test('a large body takes no long time, whatever it is made of', () => {
  const parts = ['a', '"a":{"b":[1,', '<a ', '\\', 'token:', "token='", '&quot;token&quot;:'];
  for (const part of parts) expect(hideSecrets(part.repeat(20_000)).length).toBeGreaterThan(0);
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
  expect(describeSaved({ matches: 'token="abc" id="(.*)"' })).toBe(`by ${showForm('token="***" id="(.*)"')}`);
});

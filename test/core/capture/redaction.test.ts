import { parseRedaction, redactFields, redactJson } from '../../../core/capture/redaction';

const redaction = (names: string[]) => ({ ...parseRedaction(names), hash: (value: string) => `<${value.length}>` });

test('fields are hidden by name, whatever its case, and the rest of the block stays', () => {
  const block = 'Host: a\r\nAuthorization: Basic dXNlcjpwYXNz\r\nX-KEY: abc\r\nAccept: */*\r\n';
  expect(redactFields(block, redaction(['authorization', 'X-Key']))).toBe(
    'Host: a\r\nAuthorization: Basic <12>\r\nX-KEY: <3>\r\nAccept: */*\r\n',
  );
  expect(redactFields(block, redaction([]))).toBe(block);
  expect(redactFields('Authorization: tokenalone\r\n', redaction(['authorization']))).toBe('Authorization: <10>\r\n');
});

test('of cookies the names stay, and attributes of those that are set', () => {
  const hide = redaction(['cookie', 'set-cookie']);
  expect(redactFields('Cookie: a=1; b="x;y"; lone\r\n', hide)).toBe('Cookie: a=<1>; b=<2>; <2>; <4>\r\n');
  expect(redactFields('Set-Cookie: sid=abc=d; Path=/; Max-Age=5\r\n', hide)).toBe(
    'Set-Cookie: sid=<5>; Path=/; Max-Age=5\r\n',
  );
});

test.each([
  ['a member', ['/a'], '{"a":"xyz","b":1}', '{"a":"<3>","b":1}'],
  ['deep, of any type', ['/a/b'], '{"a":{"b":[1,2]}}', '{"a":{"b":"<5>"}}'],
  ['each of an array', ['/a/*/b'], '{"a":[{"b":"1"},{"c":2},{"b":"22"}]}', '{"a":[{"b":"<1>"},{"c":2},{"b":"<2>"}]}'],
  ['an index', ['/a/1'], '{"a":["x","yy"]}', '{"a":["x","<2>"]}'],
  ['the escapes of RFC 6901', ['/a~1b/m~0n'], '{"a/b":{"m~n":"1"}}', '{"a/b":{"m~n":"<1>"}}'],
  ['none there: byte for byte', ['/x/y'], '{ "a": 1.0 }', '{ "a": 1.0 }'],
  ['no member of a prototype', ['/constructor'], '{"a":1}', '{"a":1}'],
  ['the whole', ['/'], '{"":"v"}', '{"":"<1>"}'],
])('JSON: %s', (_, names, text, hidden) => {
  expect(redactJson(text, redaction(names))).toBe(hidden);
});

test('what is no JSON is not passed as if it were', () => {
  expect(redactJson('{"a":', redaction(['/a']))).toBeUndefined();
});

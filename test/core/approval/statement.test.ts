import { Statement, StatementTerms, readStatement, statementRequest } from '../../../core/approval/statement';

const terms: StatementTerms = {
  says: 'approve/firstShift/store/move-1',
  host: 'sts.eu-central-1.amazonaws.com',
  region: 'eu-central-1',
};
const good: Statement = {
  says: terms.says,
  host: terms.host,
  credential: 'AKIDEXAMPLE/20260101/eu-central-1/sts/aws4_request',
  date: '20260101T000000Z',
  expires: 900,
  token: 'IQoJb3+/=',
  signature: 'a'.repeat(64),
};
const signedAtMs = Date.parse('2026-01-01T00:00:00Z');
const read = (over: object = {}, nowMs = signedAtMs) => readStatement({ ...good, ...over }, terms, nowMs);

test('a whole one is read, and nothing else that stands beside it', () => {
  expect(read({ url: 'https://evil.example' })).toEqual(good);
  const lasting = JSON.parse(JSON.stringify({ ...good, token: undefined })) as Statement;
  expect(readStatement(lasting, terms, signedAtMs)).toEqual(lasting);
});

test.each<[string, object, string]>([
  [
    'another execution',
    { says: 'approve/firstShift/store/move-2' },
    "'statement.says' must be 'approve/firstShift/store/move-1', got 'approve/firstShift/store/move-2'",
  ],
  ['another gate', { says: 'approve/lastStage/store/move-1' }, "got 'approve/lastStage/store/move-1'"],
  ['another decision', { says: 'reject/firstShift/store/move-1' }, "got 'reject/firstShift/store/move-1'"],
  ['another store', { says: 'approve/firstShift/theirs/move-1' }, "got 'approve/firstShift/theirs/move-1'"],
  [
    'another host',
    { host: 'sts.evil.example' },
    "'statement.host' must be 'sts.eu-central-1.amazonaws.com', got 'sts.evil.example'",
  ],
  ['the same host with a port', { host: 'sts.eu-central-1.amazonaws.com:444' }, "'statement.host' must be"],
  [
    'another region',
    { credential: 'AKID/20260101/us-east-1/sts/aws4_request' },
    "'statement.credential' must be KEY/DATE/eu-central-1/sts/aws4_request",
  ],
  ['another service', { credential: 'AKID/20260101/eu-central-1/s3/aws4_request' }, "'statement.credential' must be"],
  [
    'more in a parameter',
    { credential: `${good.credential}&Action=GetSessionToken` },
    "'statement.credential' must be",
  ],
  [
    'a line break behind it',
    { signature: `${'a'.repeat(64)}\n` },
    "'statement.signature' must be 64 hexadecimal digits",
  ],
  ['no signature', { signature: undefined }, "'statement.signature' must be 64 hexadecimal digits, got nothing"],
  ['no time', { date: 'today' }, "'statement.date' must be a time as 20260131T235959Z, got 'today'"],
  ['no such time', { date: '20261301T000000Z' }, "'statement.date' must be"],
  ['a day', { expires: 86_400 }, "'statement.expires' must be an integer from 1 to 900, got 86400"],
  ['a text for a number', { expires: '900' }, "'statement.expires' must be"],
  ['a token with a line break', { token: 'secret\nx' }, "'statement.token' must be a session token, got another text"],
])('one of %s is none, and says why in one line', (_, over, why) => {
  const problem = read(over);
  expect(problem).toContain(why);
  expect(problem).not.toMatch(/\n|secret/);
});

test.each([undefined, null, 'yes', 1, [], {}])('%j is none', (value) => {
  expect(readStatement(value, terms, signedAtMs)).toContain("'statement.says' must be");
});

test.each([
  ['at once', 0, true],
  ['by a clock a little behind', -300_000, true],
  ['by a clock far behind', -300_001, false],
  ['at the last moment', 899_999, true],
  ['too late', 900_000, false],
])('one that is looked at %s counts or not', (_, ms, counts) => {
  const found = read({}, signedAtMs + ms);
  if (counts) expect(found).toEqual(good);
  else expect(found).toMatch(/^the statement must be looked at from 2026-01-01T00:00:00.000Z to .*: sign it again$/);
});

test('what is sent is a call of GetCallerIdentity and nothing else, with what it says among the signed headers', () => {
  const { path, headers } = statementRequest(good);
  expect(headers).toEqual({ 'x-drainshift-statement': terms.says });
  expect(Object.fromEntries(new URLSearchParams(path.slice(2)))).toEqual({
    Action: 'GetCallerIdentity',
    Version: '2011-06-15',
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': good.credential,
    'X-Amz-Date': good.date,
    'X-Amz-Expires': '900',
    'X-Amz-Security-Token': good.token,
    'X-Amz-SignedHeaders': 'host;x-drainshift-statement',
    'X-Amz-Signature': good.signature,
  });
});

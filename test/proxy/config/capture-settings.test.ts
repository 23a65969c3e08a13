import { listProblems, read } from '../support/settings';

const flags = { upstream: 'http://a', capture: 's3://captured/shop' };

test('a capture has its defaults, and a key of its own where none is given', () => {
  const [one, two] = [read({ flags }), read({ flags })];
  expect(one.capture).toMatchObject({
    store: { kind: 's3', bucket: 'captured', prefix: 'shop/' },
    onFailure: 'refuse',
    timeoutMs: 5_000,
    share: 100,
    redacted: ['authorization', 'cookie', 'proxy-authorization', 'set-cookie'],
  });
  expect(one.capture!.key).not.toBe(two.capture!.key);
  expect(read({ flags: { upstream: 'http://a' } }).capture).toBeUndefined();
});

test('a key that is too short is rejected, and not shown', () => {
  expect(listProblems({ flags, environment: { DRAINSHIFT_CAPTURE_KEY: 'sh0rt' } })).toEqual([
    `'DRAINSHIFT_CAPTURE_KEY' must be at least 16 characters long, got "5 characters"`,
  ]);
});

test('Kafka with a login takes user and password, and no other store does', () => {
  const scram = { ...flags, capture: 'kafka+scram://b:9096' };
  const DRAINSHIFT_CAPTURE_PASSWORD = 'p';
  const { capture } = read({ flags: { ...scram, capture_user: 'u' }, environment: { DRAINSHIFT_CAPTURE_PASSWORD } });
  expect(capture!.login).toEqual({ user: 'u', password: 'p' });
  expect(listProblems({ flags: scram })).toEqual([
    expect.stringContaining("'capture_user' must be a user for this store"),
    expect.stringContaining("'DRAINSHIFT_CAPTURE_PASSWORD' must be the password of that user"),
  ]);
  expect(listProblems({ flags: { ...flags, capture_user: 'u' } })).toEqual([
    expect.stringContaining("'capture_user' must be absent without kafka+plain or kafka+scram"),
  ]);
});

test.each([
  [{ capture: 'ftp://x' }, "'capture' must be a path"],
  [{ capture: 's3://B' }, "'capture' must be a path"],
  [{ capture_redact: 'none,cookie' }, "'capture_redact' must be 'none' alone, or names"],
  [{ capture_on_failure: 'maybe' }, "'capture_on_failure' must be one of"],
])('%o: name, rule and value', (changes, problem) => {
  expect(listProblems({ flags: { ...flags, ...changes } })).toEqual([expect.stringContaining(problem) as string]);
});

import fc from 'fast-check';
import { isOwnWord, readHookWord, readRetryAfter } from '../../../core/cutover/hook-word';

const call = { key: 'night/afterBake/1/a/1' };
const anything = fc.oneof(fc.jsonValue(), fc.anything(), fc.constant(undefined));

test('nothing passes but a yes with the key of the call, whatever else it says', () => {
  fc.assert(
    fc.property(anything, (response) => {
      expect(readHookWord(call, response).problem).toMatch(/^it (must respond|said no)/);
    }),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), (more, key) => {
      expect(readHookWord(call, { ...more, ok: true, ...call })).toEqual({});
      expect(readHookWord(call, { ...more, ok: true, key }).problem === undefined).toBe(key === call.key);
    }),
  );
});

test('a no is one line for people, whatever its reason has', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 2_000 }), (why) => {
      const problem = readHookWord({ key: 'a' }, { ok: false, why }).problem ?? '';
      expect(problem).toMatch(/^it said no: /);
      expect(problem.length).toBeLessThan(260);
      expect(problem).not.toMatch(/[\u0000-\u001f\u007f]/);
      expect(isOwnWord({ ok: false, why })).toBe(true);
    }),
  );
});

test.each<[string, object, object]>([
  ['yes', { hookStatus: 'SUCCEEDED' }, {}],
  ['yes, with what is none of ours', { hookStatus: 'SUCCEEDED', hookDetails: { a: 1 }, callBackDelay: 'soon' }, {}],
  ['yes, with the key', { hookStatus: 'SUCCEEDED', ...call }, {}],
  ['no', { hookStatus: 'FAILED' }, { problem: 'it said no: FAILED' }],
  [
    'no, with a reason',
    { hookStatus: 'FAILED', why: 'the cart\nis empty' },
    { problem: 'it said no: the cart is empty' },
  ],
  ['not yet', { hookStatus: 'IN_PROGRESS' }, { delaySeconds: 30 }],
  ['not yet, with a delay', { hookStatus: 'IN_PROGRESS', callBackDelay: 60 }, { delaySeconds: 60 }],
  ['not yet for a day', { hookStatus: 'IN_PROGRESS', callBackDelay: 86_400 }, { delaySeconds: 86_400 }],
])('a hook of ECS says %s', (_, response, word) => {
  expect(readHookWord(call, response)).toEqual(word);
});

test.each<[unknown, string]>([
  [-1, '-1'],
  [0, '0'],
  [0.5, '0.5'],
  [86_401, '86401'],
  ['soon', '"soon"'],
  ['30', '"30"'],
  [null, 'null'],
  [true, 'true'],
  [[30], '[30]'],
  [Number.MAX_VALUE, '1.7976931348623157e+308'],
])('a delay of %j is a failure that says so', (callBackDelay, shown) => {
  const problem = `'callBackDelay' must be an integer from 1 to 86400 s, got ${shown}`;
  expect(readHookWord(call, { hookStatus: 'IN_PROGRESS', callBackDelay })).toEqual({ problem });
});

test.each<[unknown, string]>([
  ['succeeded', '"succeeded"'],
  ['PENDING', '"PENDING"'],
  ['', '""'],
  [null, 'null'],
  [true, 'true'],
  [['SUCCEEDED'], '["SUCCEEDED"]'],
])('a hookStatus of %j is a failure that says so', (hookStatus, shown) => {
  const problem = `'hookStatus' must be one of SUCCEEDED, FAILED, IN_PROGRESS, got ${shown}`;
  expect(readHookWord(call, { hookStatus })).toEqual({ problem });
});

test('two words at once, and the key of another call, are failures', () => {
  expect(readHookWord(call, { ok: true, ...call, hookStatus: 'SUCCEEDED' }).problem).toBe(
    "it must respond either 'ok' or 'hookStatus', got both",
  );
  for (const hookStatus of ['SUCCEEDED', 'IN_PROGRESS'])
    expect(readHookWord(call, { hookStatus, key: 'other' }).problem).toBe(
      "'key' must be night/afterBake/1/a/1, got other",
    );
});

test('a no and a not yet count whatever the status of their response', () => {
  expect(['FAILED', 'IN_PROGRESS', 'SUCCEEDED', 'x'].map((hookStatus) => isOwnWord({ hookStatus }))).toEqual([
    ...[true, true, false, false],
  ]);
});

describe('Retry-After', () => {
  const nowMs = Date.parse('2026-01-01T00:00:00Z');

  test.each<[string, number]>([
    ['120', 120],
    ['0', 1],
    ['Thu, 01 Jan 2026 00:01:30 GMT', 90],
    ['Wed, 31 Dec 2025 23:00:00 GMT', 1],
  ])('%s is a delay', (value, delaySeconds) => {
    expect(readRetryAfter(value, nowMs)).toEqual({ delaySeconds });
  });

  test.each(['-1', 'soon', '', '1.5', '2026-01-01', '86401', 'Thu, 32 Foo 2026 00:01:30 GMT'])(
    '%s is none',
    (value) => {
      expect(readRetryAfter(value, nowMs).problem).toMatch(/^'Retry-After' must be .*, got /);
    },
  );
});

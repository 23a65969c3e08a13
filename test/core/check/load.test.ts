import { ConnectionCount, MessageCounter, judgeLoad, summarizeLoad } from '../../../core/check/load';
import { LoadPlan, estimateMs, findForeignProblem, findLoadProblem, isLoopback } from '../../../core/check/load-limits';

const NONE: ConnectionCount = { sent: 0, responded: 0, lost: 0, doubled: 0, outOfOrder: 0, other: 0 };
const RULES = { maxLost: 0, maxDoubled: 0, maxOutOfOrder: 0, maxDropped: 0, maxNotOpened: 0 };

test('an echo is recognized by its text: lost, doubled, out of order, and what is none of its own', () => {
  const counter = new MessageCounter('echo');
  for (const n of [1, 2, 3, 4]) counter.send(n, `m${n}`, n);
  expect(counter.receive('m2', 12)).toBe(10);
  expect(counter.receive('m1', 12)).toBe(11);
  expect(counter.receive('m1', 13)).toBeUndefined();
  expect(counter.receive('hello', 13)).toBeUndefined();
  expect(counter.receive('m4', 14)).toBe(10);
  expect(counter.count(false)).toEqual({ sent: 4, responded: 3, lost: 1, doubled: 1, outOfOrder: 1, other: 1 });
  // What has no response yet when a person stops it may still have got one.
  expect(counter.count(true).lost).toBe(0);
});

test('a number is found where its JSON has it, and that of another client is none', () => {
  const counter = new MessageCounter({ path: ['message_id'] });
  counter.send(11, 'm', 0);
  counter.send(12, 'm', 0);
  for (const text of ['{"message_id":99}', '{}', 'x', '{"message_id":{}}']) counter.receive(text, 1);
  expect(counter.receive('{"message_id":"11"}', 5)).toBe(5);
  expect(counter.receive('{"message_id":11}', 6)).toBeUndefined();
  expect(counter.count(false)).toEqual({ sent: 2, responded: 1, lost: 1, doubled: 1, outOfOrder: 0, other: 4 });
});

test('any message is the response to the oldest that has none', () => {
  const counter = new MessageCounter('any');
  expect(counter.receive('welcome', 0)).toBeUndefined();
  counter.send(1, 'a', 1);
  counter.send(2, 'b', 2);
  expect([counter.receive('x', 11), counter.receive('y', 11), counter.receive('z', 11)]).toEqual([10, 9, undefined]);
  expect(counter.count(false)).toMatchObject({ responded: 2, lost: 0, other: 2 });
});

test.each([
  ['lost', { ...NONE, sent: 3, responded: 2, lost: 1 }],
  ['doubled', { ...NONE, sent: 3, responded: 3, doubled: 1 }],
  ['outOfOrder', { ...NONE, sent: 3, responded: 3, outOfOrder: 1 }],
] as const)('%s messages break a threshold, which may be raised', (name, count) => {
  const ended = [{ end: { kind: 'closed' }, count }] as const;
  const measured = { latenciesMs: [1, 2], openingsMs: [3], ownDelayMs: 0 };
  const figures = summarizeLoad(ended, { connections: 1, messages: 3 }, measured);
  expect(judgeLoad(figures, RULES, false)).toMatchObject({ verdict: 'broken', broken: [{ name, got: '1' }] });
  const raised = `max${name[0]!.toUpperCase()}${name.slice(1)}`;
  expect(judgeLoad(figures, { ...RULES, [raised]: 1 }, false).verdict).toBe('held');
});

test('connections that did not open, were dropped, or took too long break it, with their reasons', () => {
  const ended = [
    { end: { kind: 'notOpened', problem: 'HTTP status 503, not 101' }, count: NONE },
    { end: { kind: 'notOpened', problem: 'HTTP status 503, not 101' }, count: NONE },
    { end: { kind: 'dropped', problem: 'closed with 1012' }, count: { ...NONE, sent: 2, responded: 2 } },
  ] as const;
  const measured = { latenciesMs: [10, 300], openingsMs: [5], ownDelayMs: 0.12 };
  const figures = summarizeLoad(ended, { connections: 3, messages: 9 }, measured);
  expect(figures).toMatchObject({ connections: 3, opened: 1, notOpened: 2, dropped: 1, planned: 9, sent: 2 });
  expect(figures.problems).toEqual([
    { problem: 'HTTP status 503, not 101', count: 2 },
    { problem: 'closed with 1012', count: 1 },
  ]);
  expect(judgeLoad(figures, { ...RULES, maxP99Ms: 250 }, false).broken).toEqual([
    { name: 'notOpened', rule: 'at most 0', got: '2' },
    { name: 'dropped', rule: 'at most 0', got: '1' },
    { name: 'latencyMs.p99', rule: 'at most 250 ms', got: '300 ms' },
  ]);
});

test('a load without a response, or one that was stopped, is unknown', () => {
  const figures = summarizeLoad(
    [],
    { connections: 1, messages: 1 },
    { latenciesMs: [], openingsMs: [], ownDelayMs: 0 },
  );
  expect(judgeLoad(figures, { ...RULES, maxP99Ms: 1 }, true)).toEqual({
    verdict: 'unknown',
    broken: [],
    unknown: ["'latencyMs.p99' was not measured", 'no message got a response', 'the check was stopped before its end'],
  });
});

const PLAN: LoadPlan = { connections: 50, rate: 50, messages: 10, intervalMs: 1_000 };

test('a load has an end, and says when it is too much', () => {
  expect(estimateMs(PLAN)).toBe(980 + 9_000);
  expect(findLoadProblem(PLAN)).toBeUndefined();
  expect(findLoadProblem({ ...PLAN, connections: 10_000, messages: 101 })).toBe(
    "'--connections' times '--messages' must be at most 1000000, got 1010000",
  );
  expect(findLoadProblem({ ...PLAN, intervalMs: 3_600_000 })).toBe(
    'the load must end within 21600 s, got one of 32401 s',
  );
});

test('another host gets a small load, unless a person names it as theirs', () => {
  for (const host of ['localhost', '127.0.0.1', '127.9.8.7', '[::1]']) expect(isLoopback(host)).toBe(true);
  // A name is no address, however it begins.
  for (const host of ['127.0.0.1.example.com', 'localhost.example.com', '10.0.0.1', '[::2]', '128.0.0.1'])
    expect(isLoopback(host)).toBe(false);
  const many = { ...PLAN, connections: 101 };
  expect(findForeignProblem(PLAN, 'example.com', undefined)).toBeUndefined();
  expect(findForeignProblem(many, '127.0.0.1', undefined)).toBeUndefined();
  expect(findForeignProblem(many, 'example.com', undefined)).toBe(
    "'--connections' must be at most 100 for another host, got 101; '--i-own example.com' says that it is yours to load",
  );
  expect(findForeignProblem({ ...PLAN, rate: 51 }, 'example.com', undefined)).toContain("'--rate'");
  expect(findForeignProblem({ ...PLAN, intervalMs: 100 }, 'example.com', undefined)).toContain(
    "'messages a second' must be at most 200 for another host, got 500",
  );
  expect(findForeignProblem(many, 'example.com', 'EXAMPLE.com')).toBeUndefined();
  expect(findForeignProblem(PLAN, 'example.com', 'example.org')).toBe(
    "'--i-own' must be the host of '--url' (example.com), got 'example.org'",
  );
});

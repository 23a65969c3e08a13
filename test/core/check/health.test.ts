import { HEALTHY_STATUSES, HealthResponse, judgeHealth, judgePoll, parseFieldRule } from '../../../core/check/health';

const rules = (...texts: readonly string[]) => ({
  statuses: HEALTHY_STATUSES,
  fieldRules: texts.map((text) => parseFieldRule(text)!),
});
const response = (body: unknown, status = 200): HealthResponse => ({ status, ms: 5, body: JSON.stringify(body) });
const wrong = (given: HealthResponse, ...texts: readonly string[]) => judgePoll('T', given, rules(...texts)).broken;

test('a health of the kinds that are in use holds', () => {
  const seed = { status: 'healthy', connections: 3, redis_connected: true };
  const ours = { status: 'ok', connections: 0, memory_usage: 1, cpu_usage: 0.1, redis_connected: true, side: 'source' };
  for (const body of [seed, ours, { up: 1 }]) expect(wrong(response(body))).toEqual([]);
  expect(judgePoll('T', response({ ...ours, secret: 1 }), rules()).fields).toEqual({
    status: 'ok',
    connections: 0,
    memory_usage: 1,
    cpu_usage: 0.1,
    redis_connected: true,
  });
});

test('what is wrong is named: field, rule and value', () => {
  expect(wrong(response({ status: 'draining', redis_connected: false }, 503))).toEqual([
    { name: 'HTTP status', rule: 'from 200 to 299', got: '503' },
    { name: 'status', rule: 'one of healthy, ok, up, pass', got: '"draining"' },
    { name: 'redis_connected', rule: 'true', got: 'false' },
  ]);
  expect(wrong({ status: 200, ms: 5, body: '<html>' })).toEqual([
    { name: 'body', rule: 'an object of JSON', got: '"<html>"' },
  ]);
  expect(wrong({ problem: 'connect ECONNREFUSED' })).toEqual([
    { name: 'response', rule: 'there', got: 'connect ECONNREFUSED' },
  ]);
  expect(judgePoll('T', response({}), { ...rules(), maxMs: 4 }).broken).toEqual([
    { name: 'response time', rule: 'at most 4 ms', got: '5 ms' },
  ]);
});

test.each([
  ['connections <= 100', 100, 101],
  ['connections<100', 99, 100],
  ['connections >= 1', 1, 0],
  ['connections > -1', 0, -1],
  ['connections = 5', 5, 6],
  ['connections != 5', 6, 5],
] as const)('%s', (rule, good, bad) => {
  expect(wrong(response({ connections: good }), rule)).toEqual([]);
  expect(wrong(response({ connections: bad }), rule)).toMatchObject([{ name: 'connections', got: `${bad}` }]);
  // What is not there, or is no number, holds no rule.
  expect(wrong(response({}), rule)).toMatchObject([{ name: 'connections', got: 'nothing' }]);
  if (/[<>]/.test(rule)) expect(wrong(response({ connections: '1' }), rule)).toHaveLength(1);
});

test('a rule of a field stands in for the usual one, and reaches what is nested', () => {
  expect(
    wrong(response({ status: 'green', redis_connected: false }), 'status = green', 'redis_connected = false'),
  ).toEqual([]);
  expect(wrong(response({ pools: [{ free: 0 }] }), '/pools/0/free > 0')).toEqual([
    { name: '/pools/0/free', rule: '> 0', got: '0' },
  ]);
});

test('what is no rule is none', () => {
  for (const text of ['', 'connections', 'connections <=', '<= 5', 'connections < many', 'a b = 1', 'status < true'])
    expect(parseFieldRule(text)).toBeUndefined();
});

test('bad polls up to the threshold hold, and none at all is unknown', () => {
  const broken = [{ name: 'status', rule: 'ok', got: 'no' }];
  expect(judgeHealth({ polls: 5, bad: 1 }, broken, 1, false).verdict).toBe('held');
  expect(judgeHealth({ polls: 5, bad: 2 }, broken, 1, false).broken).toEqual([
    { name: 'bad polls', rule: 'at most 1', got: '2 of 5' },
    ...broken,
  ]);
  expect(judgeHealth({ polls: 0, bad: 0 }, [], 0, true).verdict).toBe('unknown');
});

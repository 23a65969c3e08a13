import { summarizeLatency } from '../../../core/check/latency';
import { parsePointer, readPointer } from '../../../core/check/pointer';
import { findServerName } from '../../../core/check/server-name';
import { Findings, countProblems, formatBroken } from '../../../core/check/verdict';
import { parseMilliseconds } from '../../../core/validation/duration';

test('what is broken counts before what is unknown, and unknown is never held', () => {
  const held = new Findings();
  held.checkAtMost('lost', 0, 0);
  held.checkAtMost('dropped', 9, undefined);
  held.checkAtMostMs('p99', 250, 250);
  held.checkWhole(false);
  expect(held.judge()).toEqual({ verdict: 'held', broken: [], unknown: [] });

  const unknown = new Findings();
  unknown.checkAtMostMs('p99', undefined, 250);
  unknown.checkWhole(true);
  expect(unknown.judge()).toEqual({
    verdict: 'unknown',
    broken: [],
    unknown: ["'p99' was not measured", 'the check was stopped before its end'],
  });

  unknown.checkAtMost('lost', 1, 0);
  expect(unknown.judge()).toMatchObject({ verdict: 'broken', broken: [{ name: 'lost', rule: 'at most 0', got: '1' }] });
  expect(formatBroken(unknown.judge().broken[0]!)).toBe("'lost' must be at most 0, got 1");
});

test('what comes from outside stays one line', () => {
  const found = new Findings();
  found.addBroken('status', 'ok', 'a\u001b[2J\nb');
  expect(found.judge().broken[0]!.got).toBe('a [2J b');
  expect(countProblems(['x', 'y\ny', 'y\ny'])).toEqual([
    { problem: 'y y', count: 2 },
    { problem: 'x', count: 1 },
  ]);
});

test('quantiles are values that were measured', () => {
  expect(summarizeLatency([])).toBeUndefined();
  expect(summarizeLatency([3])).toEqual({ p50: 3, p95: 3, p99: 3, max: 3 });
  const hundred = Array.from({ length: 100 }, (_, at) => 100 - at);
  expect(summarizeLatency(hundred)).toEqual({ p50: 50, p95: 95, p99: 99, max: 100 });
  expect(summarizeLatency([...hundred, 1000])).toMatchObject({ p99: 100, max: 1000 });
});

test('a field is a name or a JSON pointer', () => {
  expect(parsePointer('server')).toEqual(['server']);
  expect(parsePointer('/a~1b/0/~0c')).toEqual(['a/b', '0', '~c']);
  expect([parsePointer(''), parsePointer('/a~2')]).toEqual([undefined, undefined]);
  const value = { 'a/b': [{ '~c': 7 }] };
  expect(readPointer(value, ['a/b', '0', '~c'])).toBe(7);
  for (const path of [['a/b', '00'], ['a/b', 'length'], ['constructor'], ['a/b', '0', '~c', 'x']])
    expect(readPointer(value, path)).toBeUndefined();
});

test('a server is named by a header, or by the first field that is there', () => {
  const fields = [['server'], ['server_id']];
  expect(findServerName({ header: 'x-server', fields }, { 'x-server': 'a' }, '{"server":"b"}')).toBe('a');
  expect(findServerName({ header: 'x-server', fields }, {}, '{"server":"b"}')).toBeUndefined();
  expect(findServerName({ fields }, {}, '{"server_id":7}')).toBe('7');
  expect(findServerName({ fields }, {}, '{"server":"a\\u001b\\n","server_id":7}')).toBe('a');
  for (const body of ['', 'server', '{"server":{}}', '{"server":""}', 'null', '[]'])
    expect(findServerName({ fields }, {}, body)).toBeUndefined();
});

test('a time has one unit', () => {
  expect(['250ms', '1.5s', '2m', '1h', '0s'].map(parseMilliseconds)).toEqual([250, 1_500, 120_000, 3_600_000, 0]);
  for (const text of ['', '250', '1 s', '-1s', '1s1ms', '.5s']) expect(parseMilliseconds(text)).toBeUndefined();
});

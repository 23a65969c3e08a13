import { formatMatch, parseKeyPattern, readKeyId } from '../../../core/check/key-pattern';
import { readLiveList } from '../../../core/check/live-list';
import {
  StateReading,
  compareCounts,
  compareState,
  judgeState,
  keepLasting,
  summarizeState,
} from '../../../core/check/state';

const RULES = { maxOrphans: 0, maxMissing: 0, maxDoubled: 0, maxStateWithoutConnection: 0 };
const reading = (state: string, keys: string, live?: string): StateReading => ({
  stateIds: new Set(state),
  connectionKeys: new Map([...keys].map((id) => [id, `server-${id < 'c' ? 1 : 2}`])),
  ...(live !== undefined && { live: [...live] }),
});

test('keys that agree with the live connections hold', () => {
  const findings = compareState(reading('ab', 'abc', 'abc'));
  expect(judgeState(findings, RULES, false).verdict).toBe('held');
  expect(findings.connectionWithoutState).toEqual({ count: 1, ids: ['c'] });
  expect(judgeState(findings, { ...RULES, maxConnectionWithoutState: 0 }, false).broken).toEqual([
    { name: 'connectionWithoutState', rule: 'at most 0', got: '1 (c)' },
  ]);
  expect(summarizeState(reading('ab', 'abc', 'abcd'))).toEqual({
    ...{ stateKeys: 2, connectionKeys: 3, liveConnections: 4 },
    servers: [
      { server: 'server-1', connections: 2 },
      { server: 'server-2', connections: 1 },
    ],
  });
});

test('orphans, missing, doubled and state without a connection are named', () => {
  const findings = compareState(reading('abx', 'aboz', 'abbcc'));
  expect(judgeState(findings, RULES, false).broken).toEqual([
    { name: 'orphans', rule: 'at most 0', got: '2 (o, z)' },
    { name: 'missing', rule: 'at most 0', got: '1 (c)' },
    { name: 'doubled', rule: 'at most 0', got: '2 (b, c)' },
    { name: 'stateWithoutConnection', rule: 'at most 0', got: '1 (x)' },
  ]);
  const raised = { maxOrphans: 2, maxMissing: 1, maxDoubled: 2, maxStateWithoutConnection: 1 };
  expect(judgeState(findings, raised, false).verdict).toBe('held');
  expect(judgeState(findings, raised, true).verdict).toBe('unknown');
});

test('state of an orphan is state without a connection', () => {
  expect(compareState(reading('ao', 'ao', 'a'))).toMatchObject({
    orphans: { ids: ['o'] },
    stateWithoutConnection: { ids: ['o'] },
  });
});

test('without a list of live connections the keys are compared with each other, and the rest is not known', () => {
  expect(compareState(reading('abx', 'ab'))).toEqual({
    stateWithoutConnection: { count: 1, ids: ['x'] },
    connectionWithoutState: { count: 0, ids: [] },
  });
});

test('what comes and leaves between two readings is not wrong', () => {
  const first = compareState(reading('a', 'abo', 'ac'));
  const second = compareState(reading('a', 'aco', 'ac'));
  expect(keepLasting(first, second)).toMatchObject({ orphans: { ids: ['o'] }, missing: { count: 0 } });
});

test('counts are compared where the list has other ids', () => {
  const counts = compareCounts(reading('abc', 'ab', '1234'));
  expect(counts).toEqual({
    orphans: { count: 0, ids: [] },
    missing: { count: 2, ids: [] },
    stateWithoutConnection: { count: 0, ids: [] },
    connectionWithoutState: { count: 1, ids: [] },
  });
  expect(judgeState(counts, RULES, false).broken).toEqual([{ name: 'missing', rule: 'at most 0', got: '2' }]);
  expect(keepLasting(counts, compareCounts(reading('abc', 'abc', '1234'))).missing).toEqual({ count: 1, ids: [] });
});

test('a pattern has one star, where the id is', () => {
  const pattern = parseKeyPattern('app[1]:conn:*:v2')!;
  expect(readKeyId(pattern, 'app[1]:conn:a:b:v2')).toBe('a:b');
  for (const key of ['app[1]:conn::v2', 'app1:conn:a:v2', 'app[1]:conn:a'])
    expect(readKeyId(pattern, key)).toBeUndefined();
  // SCAN reads brackets, marks and backslashes as its own.
  expect(formatMatch(pattern)).toBe('app\\[1\\]:conn:*:v2');
  for (const text of ['', '*', 'state', 'a*b*c']) expect(parseKeyPattern(text)).toBeUndefined();
});

test('a list of live connections has one of the forms that are in use', () => {
  const place = { path: ['id'] };
  const ids = (json: unknown, more = {}) => readLiveList(json, { ...place, ...more });
  expect(ids(['a', 7])).toEqual({ ids: ['a', '7'] });
  expect(ids([{ id: 'a' }, 'b'])).toEqual({ ids: ['a', 'b'] });
  expect(ids({ connections: [{ id: 'a' }], next: '0-7' })).toEqual({ ids: ['a'], next: '0-7' });
  expect(ids({ a: {}, b: { server: 1 } })).toEqual({ ids: ['a', 'b'] });
  expect(ids({ connections: { a: 1 } })).toEqual({ ids: ['a'] });
  expect(ids([{ path: '/ws/a' }], { path: ['path'], pattern: /^\/ws\/(\w+)$/ })).toEqual({ ids: ['a'] });
  expect(ids([{ id: 'a' }, { name: 'b' }])).toEqual({
    problem: `item 1 must have an id in 'id', got {"name":"b"}`,
  });
  expect(ids('x')).toMatchObject({ problem: expect.stringMatching(/^must be a list of connections/) as string });
});

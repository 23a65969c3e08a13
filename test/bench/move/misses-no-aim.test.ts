import { findBucket } from '../../../core/proxy/latency-buckets';
import { checkAims } from '../../../bench/move/aims';
import { drawChart } from '../../../bench/move/chart';
import { addUp, findPart, findStallMs, type MoveResult, type Round } from '../../../bench/move/figures';
import type { BackendReport, ClientsReport } from '../../../bench/move/messages';
import { describeRun, drawTable } from '../../../bench/move/table';

const NO_FAULTS = { lost: 0, doubled: 0, outOfOrder: 0 };

/** @param slow moves out of 100 that took 300 ms, the others 40 ms */
function createRound(slow: number, changes: Partial<Round> = {}): Round {
  const stall = Array.from({ length: findBucket(300) + 1 }, () => 0);
  stall[findBucket(40)] = 100 - slow;
  stall[findBucket(300)] = slow;
  return {
    ...{ to: 'target', seconds: 2, moved: 100, stall, longestStallMs: 300, rejected: {} },
    ...{ waitsMs: [6, 8, 90], messages: 3_000, cpuSeconds: 1.5, ...changes },
  };
}

function createResult(rounds: readonly Round[], totals: Partial<MoveResult['totals']> = {}): MoveResult {
  return {
    ...{ connections: 100, messagesPerSecond: 50, proxies: 2, workers: 2, restWaitsMs: [5, 6, 7], rounds },
    totals: { ...NO_FAULTS, messages: 9_000, closed: 0, strays: 0, ...totals },
  };
}

const missed = (result: MoveResult) => checkAims(result).flatMap(({ isMet, text }) => (isMet ? [] : [text]));

test('a run in which all were moved in time, and nothing was lost, meets every aim', () => {
  expect(missed(createResult([createRound(0), createRound(1, { to: 'source' })]))).toEqual([]);
});

test.each([
  ['one that was not moved', createResult([createRound(0, { moved: 99 })]), 'moved to the target: 100, got 99'],
  ['two moves in a hundred that took long', createResult([createRound(2)]), 'stall to the target, p99'],
  ['no move at all', createResult([createRound(0, { stall: [] })]), 'stall to the target, p99'],
  ['a connection that was closed', createResult([createRound(0)], { closed: 1 }), 'closed: 0, got 1'],
  ['a message that was lost', createResult([createRound(0)], { lost: 1 }), 'messages lost: 0, got 1'],
  ['a message that came twice', createResult([createRound(0)], { doubled: 1 }), 'messages doubled: 0, got 1'],
  ['a message out of order', createResult([createRound(0)], { outOfOrder: 1 }), 'messages out of order: 0, got 1'],
  ['a Pong of a move at a client', createResult([createRound(0)], { strays: 1 }), 'reached a client: 0, got 1'],
])('%s misses one', (_, result, text) => {
  expect(missed(result)).toEqual([expect.stringContaining(text)]);
});

const clients: ClientsReport = {
  ...{ open: 2, sent: 10, acknowledged: 10, pushed: 5, strays: 0, closed: {}, faults: NO_FAULTS },
};
const backend: BackendReport = {
  ...{ clients: 2, received: 10, pushed: 5, resumed: 0, notFound: 0, faults: NO_FAULTS },
};

test('what clients and backends counted is added up', () => {
  expect(addUp([clients, clients], [backend, backend])).toEqual({
    ...{ ...NO_FAULTS, messages: 50, closed: 0, strays: 0 },
  });
});

test.each([
  ['a message that no backend received', { ...clients, sent: 11, acknowledged: 10 }, backend],
  ['an acknowledgement that never came', { ...clients, acknowledged: 9 }, backend],
  ['a last message of a backend that never came', clients, { ...backend, pushed: 6 }],
  ['a number that was passed over', { ...clients, faults: { ...NO_FAULTS, lost: 1 } }, backend],
])('%s is lost', (_, client, server) => {
  expect(addUp([client], [server]).lost).toBe(1);
});

test('connections that ended are closed, whatever their code', () => {
  expect(addUp([{ ...clients, closed: { 1006: 1, 1012: 2 } }], [backend]).closed).toBe(3);
});

test('a quantile of the stall is the end of its bucket, and there is none without moves', () => {
  const { stall } = createRound(2);
  expect(findBucket(findStallMs(stall, 0.98))).toBe(findBucket(40));
  expect(findBucket(findStallMs(stall, 0.99))).toBe(findBucket(300));
  expect(findStallMs([], 0.99)).toBeNaN();
  expect([findPart([1, 2, 3, 4], 0.5), findPart([1, 2, 3, 4], 1), findPart([], 1)]).toEqual([2, 4, NaN]);
});

test('the table and the picture have every round and the longest waits', () => {
  const result = createResult([createRound(1), createRound(0, { to: 'source' })]);
  expect(drawTable(result).split('\n')).toHaveLength(5);
  expect(drawTable(result)).toContain('| target | 100 | 2.0 s | 50 | 1,500 |');
  expect(describeRun(result)).toContain('100 WebSockets over 2 proxies');
  const chart = drawChart(result);
  expect(chart).toContain('100 live WebSockets moved to the other backend, 2 times');
  expect(chart).not.toContain('NaN');
});

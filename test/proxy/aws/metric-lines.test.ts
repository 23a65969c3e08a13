import { NO_CAPTURE } from '../../../core/capture/capture-report';
import { NO_MOVES } from '../../../core/moves/moves';
import { NO_HOLD_FIGURES } from '../../../core/proxy/hold';
import type { LedgerReport } from '../../../core/proxy/admin-api';
import { CONNECTION_KINDS, NO_CONNECTIONS } from '../../../core/proxy/connections';
import type { MetricLine } from '../../../core/proxy/embedded-metrics';
import { createMetrics } from '../../../proxy/admin/metrics';
import { MetricLines } from '../../../proxy/aws/metric-lines';
import { Ledger } from '../../../proxy/data-plane/contract/ledger';
import { TrafficCount } from '../../../proxy/telemetry/traffic-count';
import { FakeClock } from '../support/fake-clock';
import { REPORT } from '../support/report';
import { listFaults, findMetrics } from './support/metric-line';

/** On the wall it is a full minute when the clock is at zero. */
const EPOCH_MS = 28_333_333 * 60_000 - 1_000;

function cloud() {
  const clock = new FakeClock();
  const traffic = new TrafficCount();
  const registry = createMetrics('source', {
    ledger: new Ledger(),
    traffic,
    fastPath: () => 'on',
    memory: () => ({ heldBytes: 0, budgetBytes: 1, shed: 0 }),
    deviations: { byDeviation: {} },
    held: () => 0,
    moves: () => NO_MOVES,
    holds: () => NO_HOLD_FIGURES,
    pumped: () => 0,
    nowMs: () => 0,
  });
  const state: { report: LedgerReport | Error } = { report: REPORT };
  const written: MetricLine[] = [];
  const lines = new MetricLines({
    service: 'shop',
    integrations: {
      snapshot: () => ({ active: NO_CONNECTIONS, isServing: true }),
      report: async () => {
        if (state.report instanceof Error) throw state.report;
        return state.report;
      },
      samples: () => registry.getMetricsAsJSON(),
    },
    clock,
    wallMs: () => EPOCH_MS + clock.nowMs(),
    write: (line) => written.push(line),
  });
  /** Turns the clock to the next half minute, and takes what was written. */
  const turn = async (halfMinutes: number) => {
    for (let half = 0; half < halfMinutes; half += 1) {
      clock.advance(30);
      await settled();
    }
    return taken();
  };
  const settled = async () => {
    for (let step = 0; step < 5; step += 1) await new Promise(setImmediate);
  };
  const taken = () => {
    const now = written.splice(0);
    expect(now.flatMap(listFaults)).toEqual([]);
    return now.map(findMetrics);
  };
  const report = (requests: number, errors: number, more: Partial<LedgerReport> = {}) => {
    state.report = { ...REPORT, requests: { total: requests, responded: requests, errors }, ...more };
  };
  return { clock, traffic, state, lines, turn, taken, settled, report };
}

const named = (lines: readonly Record<string, unknown>[], name: string) => lines.filter((line) => name in line);

test('once a minute: live connections, and what was counted since the last time', async () => {
  const { lines, report, turn, traffic } = cloud();
  lines.start();
  report(10, 2, { active: { ...NO_CONNECTIONS, websocket: 7 } });
  traffic.settled(
    { status: 200, ending: 'completed', failure: undefined } as never,
    { hasOpened: false, isJudged: true },
    40,
    0,
  );
  const first = await turn(2);
  expect(named(first, 'LiveConnections')).toHaveLength(1 + CONNECTION_KINDS.length);
  expect(first[0]).toEqual({ Service: 'shop', LiveConnections: 7 });
  expect(named(first, 'Requests')).toEqual([{ Service: 'shop', Requests: 10, Errors: 2, Latency: [37.5] }]);
  report(15, 2);
  const second = await turn(2);
  expect(named(second, 'Requests')).toEqual([{ Service: 'shop', Requests: 5, Errors: 0 }]);
  expect(named(second, 'DrainRemaining')).toEqual([]);
});

test('in a drain: what is left twice a minute, the rest still once', async () => {
  const { lines, report, turn } = cloud();
  lines.start();
  report(0, 0, { state: 'draining', active: { ...NO_CONNECTIONS, http: 3 } });
  const minute = await turn(2);
  expect(named(minute, 'DrainRemaining')).toEqual(Array(2).fill({ Service: 'shop', DrainRemaining: 3 }));
  expect(named(minute, 'LiveConnections')).toHaveLength(1 + CONNECTION_KINDS.length);
  report(0, 0, { state: 'drained' });
  expect(named(await turn(1), 'DrainRemaining')).toEqual([{ Service: 'shop', DrainRemaining: 0 }]);
});

test('the counters of another instance count from zero', async () => {
  const { lines, report, turn } = cloud();
  lines.start();
  report(100, 10);
  await turn(2);
  report(4, 1, { instance: 'another' });
  expect(named(await turn(2), 'Requests')).toEqual([{ Service: 'shop', Requests: 4, Errors: 1 }]);
});

test('of a capture: what has no record since the last time, and how long the oldest one waits', async () => {
  const { lines, report, turn } = cloud();
  lines.start();
  report(1, 0);
  expect(named(await turn(2), 'CaptureLost')).toEqual([]);
  report(9, 0, { capture: { ...NO_CAPTURE, unrecorded: 3, refused: 4, lost: 5, pendingMs: 70 } });
  const line = { Service: 'shop', CaptureUnrecorded: 3, CaptureRejected: 4, CaptureLost: 5, CapturePending: 70 };
  expect(named(await turn(2), 'CaptureLost')).toEqual([line]);
  report(9, 0, { capture: { ...NO_CAPTURE, unrecorded: 4, refused: 4, lost: 5 } });
  const next = { CaptureUnrecorded: 1, CaptureRejected: 0, CaptureLost: 0, CapturePending: 0 };
  expect(named(await turn(2), 'CaptureLost')).toEqual([{ ...line, ...next }]);
  report(9, 0, { capture: { ...NO_CAPTURE, refused: 2 } });
  expect(named(await turn(2), 'CaptureLost')).toMatchObject([{ CaptureUnrecorded: 0, CaptureRejected: 2 }]);
});

test('workers that do not respond: nothing is written, and nothing is lost', async () => {
  const { lines, report, turn, state } = cloud();
  lines.start();
  report(10, 0);
  await turn(2);
  state.report = new Error('worker 2 did not answer');
  expect(await turn(2)).toEqual([]);
  report(30, 0);
  expect(named(await turn(2), 'Requests')).toEqual([{ Service: 'shop', Requests: 20, Errors: 0 }]);
});

test('at the end what was not written yet is, without the live connections; then nothing more', async () => {
  const { lines, report, turn, taken, clock } = cloud();
  lines.start();
  report(10, 0);
  await turn(2);
  report(12, 1);
  await lines.flush();
  lines.stop();
  expect(taken()).toEqual([{ Service: 'shop', Requests: 2, Errors: 1 }]);
  expect(clock.waiting).toBe(0);
});

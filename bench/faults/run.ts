// Runs one row of the matrix: a cutover of its own local cloud, a fault in one phase, and a client that counts for itself.
import { setTimeout as pause } from 'node:timers/promises';
import { eachKind } from '../../core/proxy/connections';
import { readBackWeights } from '../../rehearsal/run/read-back';
import type { Fault, Phase } from './matrix';
import { PHASES } from './matrix';
import { isLost, type Seen, type SeenRequest } from './seen';
import { clientSeen, startRow, type RowSetup } from './row-setup';

export interface RowResult {
  readonly fault: string;
  readonly phase: string;
  readonly outcome: string;
  readonly cause: string;
  readonly weights: string;
  readonly lock: 'free' | 'kept';
  /** From the fault to initial weights that read back. */
  readonly restoredSeconds?: number;
  readonly requests: number;
  /** Failed while the fault was in force for the client that sent them. */
  readonly lostByFault: number;
  /** Failed before it, or after the traffic had left it. */
  readonly lostBeyond: number;
  /** WebSockets without a Close frame. */
  readonly dropped: number;
  /** What the evidence says of connections that died with their task. */
  readonly evidenceLost: number;
  /** What is wrong with the row; none when it ended as it must. */
  readonly wrong: readonly string[];
}

const PLAN = {
  stages: [
    { weights: { source: 50, target: 50 }, bakeSeconds: 4 },
    { weights: { source: 0, target: 100 }, bakeSeconds: 4 },
  ],
  pollSeconds: 1,
  // Five requests of a stage prove it: a row is short.
  judge: { errorBudget: 0.46 },
  drain: { perKindSeconds: { ...eachKind(() => 2), websocket: 4 } },
};
const WARM_UP_MS = 1_500;
const AFTERWARDS_MS = 2_000;
/** The end of a stuck rollback is five minutes away at most; a row waits no longer for its execution. */
const MAX_MS = 420_000;
const READ_BACK_EVERY_MS = 100;

export async function runRow(app: string, fault: Fault, phase: Phase): Promise<RowResult> {
  const row = await startRow(app, PLAN);
  try {
    return await attack(row, fault, phase);
  } finally {
    await row.stop();
  }
}

async function attack(row: RowSetup, fault: Fault, phase: Phase): Promise<RowResult> {
  const { cloud } = row;
  await fault.prepare?.(row);
  await pause(WARM_UP_MS);
  const injected = injectAt(row, fault, phase);
  const execution = cloud.states.start(cloud.model.machine.arn, `row-${Date.now()}`, '{}');
  const restored = watchWeights(row, injected);
  const startedMs = Date.now();
  while (execution.status === 'RUNNING' && Date.now() - startedMs < MAX_MS) await pause(50);
  injected.end();
  const isUnderWay = () => cloud.statusRules.calls.some(({ state }) => state === 'underWay');
  while (isUnderWay() && Date.now() - startedMs < MAX_MS) await pause(50);
  await pause(AFTERWARDS_MS);
  const seen = await clientSeen(row, 'stop');
  const restoredAtMs = restored.stop();
  const weights = await readBackWeights(cloud);
  return judge(fault, phase, {
    ...left(row, execution.name),
    cause: execution.cause ?? '',
    weights: weights ? `${weights.source}/${weights.target}` : 'none',
    injectedMs: injected.atMs(),
    restoredAtMs,
    seen,
  });
}

/** What the cutover has left in its store. */
function left({ cloud }: RowSetup, name: string): Pick<Found, 'outcome' | 'lock' | 'evidenceLost'> {
  const { storeBucket } = cloud.model.config;
  const stored = cloud.objects.find(storeBucket, `evidence/${name}.json`);
  const evidence = stored && (JSON.parse(stored.body.toString()) as { outcome: string; drain: { lost: number } });
  return {
    outcome: evidence?.outcome ?? 'none',
    lock: cloud.objects.find(storeBucket, 'lock.json') ? 'kept' : 'free',
    evidenceLost: evidence?.drain.lost ?? 0,
  };
}

interface Injected {
  /** Undefined until then. */
  atMs(): number | undefined;
  end(): void;
}

/** Begins the fault when the execution comes to the phase. */
function injectAt(row: RowSetup, fault: Fault, phase: Phase): Injected {
  const { state, stage } = PHASES[phase];
  let atMs: number | undefined;
  let end: (() => void) | undefined;
  const finish = () => {
    end?.();
    end = undefined;
  };
  row.onState = ({ entered }) => {
    const shifts = entered.filter((each) => each.state === 'Shift').length;
    if (atMs !== undefined || entered.at(-1)?.state !== state || shifts < stage) return;
    atMs = Date.now();
    end = fault.inject(row) ?? undefined;
    if (fault.seconds !== undefined) setTimeout(finish, fault.seconds * 1000);
  };
  return { atMs: () => atMs, end: finish };
}

/** When the initial weights read back for the first time after the fault. */
function watchWeights({ cloud }: RowSetup, injected: Injected): { stop(): number | undefined } {
  let restoredAtMs: number | undefined;
  const timer = setInterval(() => {
    if (injected.atMs() === undefined || restoredAtMs !== undefined) return;
    void readBackWeights(cloud).then((weights) => {
      if (weights && weights.source > 0 && weights.target === 0) restoredAtMs ??= Date.now();
    });
  }, READ_BACK_EVERY_MS);
  return {
    stop: () => {
      clearInterval(timer);
      return restoredAtMs;
    },
  };
}

interface Found {
  readonly outcome: string;
  readonly cause: string;
  readonly weights: string;
  readonly lock: 'free' | 'kept';
  readonly evidenceLost: number;
  readonly injectedMs: number | undefined;
  readonly restoredAtMs: number | undefined;
  readonly seen: Seen;
}

function judge(fault: Fault, phase: Phase, found: Found): RowResult {
  const { seen, injectedMs, restoredAtMs } = found;
  const lost = seen.requests.filter(isLost);
  const lostBeyond = lost.filter((request) => !isByFault(request, fault, found)).length;
  const restoredSeconds =
    injectedMs === undefined || restoredAtMs === undefined ? undefined : (restoredAtMs - injectedMs) / 1000;
  const result = {
    ...{ fault: fault.name, phase, outcome: found.outcome, cause: found.cause, weights: found.weights },
    lock: found.lock,
    ...(restoredSeconds !== undefined && { restoredSeconds }),
    requests: seen.requests.length,
    lostByFault: lost.length - lostBeyond,
    lostBeyond,
    dropped: seen.dropped.length,
    evidenceLost: found.evidenceLost,
  };
  return { ...result, wrong: wrongWith(fault, result, found) };
}

/** A moment for the first request by the new weights. */
const SWITCH_MS = 300;

function isByFault({ atMs, ms }: SeenRequest, { harms, ends }: Fault, { injectedMs, restoredAtMs }: Found): boolean {
  if (!harms || injectedMs === undefined || atMs + ms < injectedMs) return false;
  if (ends.outcome === 'failed') return true;
  return atMs <= (restoredAtMs ?? Infinity) + SWITCH_MS;
}

function wrongWith(fault: Fault, row: Omit<RowResult, 'wrong'>, { injectedMs, seen }: Found): string[] {
  const { ends } = fault;
  const wrong: string[] = [];
  const must = (holds: boolean, text: string) => {
    if (!holds) wrong.push(text);
  };
  must(injectedMs !== undefined, 'the phase was never reached');
  must(row.outcome === ends.outcome, `outcome must be ${ends.outcome}, got ${row.outcome}`);
  must(row.weights === ends.weights, `weights must be ${ends.weights}, got ${row.weights}`);
  must(row.lock === ends.lock, `lock must be ${ends.lock}, got ${row.lock}`);
  must(row.lostBeyond === 0, `requests lost beyond the fault's own must be 0, got ${row.lostBeyond}`);
  if (ends.restoredWithin !== undefined) {
    const seconds = row.restoredSeconds ?? Infinity;
    must(seconds <= ends.restoredWithin, `restored within ${ends.restoredWithin} s, got ${seconds.toFixed(1)} s`);
  }
  if (!fault.harms && !fault.dropsSockets)
    must(row.dropped === 0, `WebSockets without a Close must be 0, got ${row.dropped}`);
  must(row.evidenceLost <= row.dropped, `the client must see ${row.evidenceLost} lost connections, got ${row.dropped}`);
  const [source, target] = ends.weights.split('/').map(Number);
  const sides = new Set(seen.requests.slice(-10).flatMap(({ status, side }) => (status === 200 ? [side] : [])));
  if (source === 0) must(!sides.has('source'), 'the last requests must be served by the target, got the source');
  if (target === 0) must(!sides.has('target'), 'the last requests must be served by the source, got the target');
  return wrong;
}

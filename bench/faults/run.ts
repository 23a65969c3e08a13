// Runs one row of the matrix: a cutover of its own local cloud, a fault in one phase, and a client that counts for itself.
import { setTimeout as pause } from 'node:timers/promises';
import { eachKind } from '../../core/proxy/connections';
import type { Evidence } from '../../core/cutover/evidence';
import type { MovesSeen } from '../../core/cutover/moves-seen';
import type { Outcome } from '../../core/cutover/run';
import { formatWeights } from '../../core/traffic/weights';
import { FaultInjector } from '../../rehearsal/faults/injector';
import { PHASES_OF_HOOKS } from '../../rehearsal/faults/phases';
import { findEnding, findFault, type AskedFault } from '../../rehearsal/faults/table';
import { machineTime } from '../../rehearsal/processes/machine-time';
import { readBackWeights } from '../../rehearsal/run/read-back';
import { isLost, type Seen, type SeenRequest } from './seen';
import { clientSeen, findCause, startRow, type RowSetup } from './row-setup';

export interface RowResult {
  readonly fault: string;
  readonly phase: string;
  readonly outcome: string;
  readonly cause: string;
  readonly weights: string;
  readonly lock: 'free' | 'kept';
  /** From the fault to initial weights that read back, in the time that this machine had. */
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
  /** What the evidence says of connections that moved. */
  readonly moves?: MovesSeen;
  /** What is wrong with the row; none when it ended as it must. */
  readonly wrong: readonly string[];
}

/** The maximum is for a machine on which others have something to do. */
const BAKE = { bakeSeconds: 4, maximumBakeSeconds: 40 };
const PLAN = {
  stages: [
    { weights: { source: 50, target: 50 }, ...BAKE },
    { weights: { source: 0, target: 100 }, ...BAKE },
  ],
  pollSeconds: 1,
  confirmTimeoutSeconds: 10,
  // Five requests of a stage prove it: a row is short. No person is there to be asked.
  judge: { errorBudget: 0.46, inconclusive: 'rollBack' },
  drain: { perKindSeconds: { ...eachKind(() => 2), websocket: 4 } },
};

/** Of the source: they are there when the target is not. */
const at = (when: string) => ({
  ...{ name: when, when, timeoutSeconds: 3, waitSeconds: 6 },
  http: { side: 'from', path: '/hook' },
});
const HOOKS = [at('beforeShift'), at('afterBake')];

const PACE = { steps: [50], lookSeconds: 10 };

const WARM_UP_MS = 1_500;
const AFTERWARDS_MS = 2_000;
/** A task that hangs in a drain is replaced within some six minutes; a row waits no longer for its execution, in the time that this machine had. */
const MAX_MS = 720_000;
const READ_BACK_EVERY_MS = 100;
/** A moment for the first request by the new weights. */
const SWITCH_MS = 300;
/** The load balancer's health checks, in the time that this machine had. */
const MOMENT_MS = 30_000;

export async function runRow(app: string, asked: AskedFault): Promise<RowResult> {
  const isPaced = findFault(asked.name).needs === 'rollbackPace';
  const hooks = PHASES_OF_HOOKS.includes(asked.phase) ? HOOKS : [];
  const row = await startRow(app, { ...PLAN, hooks, ...(isPaced && { rollbackPace: PACE }) });
  try {
    return await attack(row, asked);
  } finally {
    await row.stop();
  }
}

async function attack(row: RowSetup, asked: AskedFault): Promise<RowResult> {
  const { cloud } = row;
  machineTime.start();
  let machineMs = 0;
  let leftMs = Infinity;
  const injector = new FaultInjector(asked, row, {
    stages: PLAN.stages.length,
    onBegin: () => {
      machineMs = machineTime.nowMs;
      machineTime.limit(MOMENT_MS, () => (leftMs = Date.now()));
    },
  });
  await injector.prepare(AbortSignal.timeout(MAX_MS));
  await pause(WARM_UP_MS);
  row.onState = (execution) => injector.see(execution);
  const execution = cloud.states.start(cloud.model.machine.arn, `row-${Date.now()}`, '{}');
  const restored = watchWeights(row, injector);
  const limitMs = machineTime.nowMs + MAX_MS;
  const isOver = () => execution.status !== 'RUNNING' && !isUnderWay(row) && !isRedriving(asked, execution);
  while (!isOver() && machineTime.nowMs < limitMs) await pause(50);
  injector.finish();
  const hasEnded = isOver();
  await pause(AFTERWARDS_MS);
  const seen = await clientSeen(row, 'stop');
  const { restoredAtMs, restoredMachineMs } = restored.stop() ?? {};
  const weights = await readBackWeights(cloud);
  return judge(asked, {
    ...left(row, execution.name),
    cause: findCause(execution),
    weights: weights ? formatWeights(weights) : 'none',
    injectedMs: injector.beganMs,
    ...{ restoredAtMs, leftMs, seen, hasEnded },
    restoredSeconds: restoredMachineMs && (restoredMachineMs - machineMs) / 1000,
    others: [...cloud.states.executions.values()].filter((each) => each !== execution),
  });
}

function isUnderWay({ cloud }: RowSetup): boolean {
  return cloud.statusRules.calls.some(({ state }) => state === 'underWay');
}

/** It is stopped, and not redriven yet. */
function isRedriving({ name }: AskedFault, { redriven }: { readonly redriven?: object }): boolean {
  return name === 'stop-and-redrive' && redriven === undefined;
}

/** What the cutover has left in its store. */
function left({ cloud }: RowSetup, name: string): Pick<Found, 'outcome' | 'lock' | 'evidenceLost' | 'moves'> {
  const { storeBucket } = cloud.model.config;
  const stored = cloud.objects.find(storeBucket, `evidence/${name}.json`);
  const evidence = stored && (JSON.parse(stored.body.toString()) as Evidence);
  return {
    outcome: evidence?.outcome ?? 'none',
    lock: cloud.objects.find(storeBucket, 'lock.json') ? 'kept' : 'free',
    evidenceLost: (evidence?.drain.lost ?? 0) + (evidence?.moves?.carriedEnded.lost ?? 0),
    ...(evidence?.moves && { moves: evidence.moves }),
  };
}

interface Restored {
  readonly restoredAtMs: number;
  readonly restoredMachineMs: number;
}

/** When the initial weights read back for the first time after the fault, by both clocks. */
function watchWeights({ cloud }: RowSetup, injector: FaultInjector): { stop(): Restored | undefined } {
  let restored: Restored | undefined;
  let hasMoved = false;
  const timer = setInterval(() => {
    if (injector.beganMs === undefined || restored !== undefined) return;
    void readBackWeights(cloud).then((weights) => {
      const isInitial = weights !== undefined && weights.source > 0 && weights.target === 0;
      if (!isInitial) hasMoved = true;
      else if (hasMoved) restored ??= { restoredAtMs: Date.now(), restoredMachineMs: machineTime.nowMs };
    });
  }, READ_BACK_EVERY_MS);
  return {
    stop: () => {
      clearInterval(timer);
      return restored;
    },
  };
}

interface Found {
  readonly outcome: string;
  readonly cause: string;
  readonly weights: string;
  readonly lock: 'free' | 'kept';
  readonly evidenceLost: number;
  readonly moves?: MovesSeen;
  readonly injectedMs: number | undefined;
  readonly restoredAtMs: number | undefined;
  readonly restoredSeconds: number | undefined;
  /** When the load balancer must have left what hangs; `Infinity` before. */
  readonly leftMs: number;
  readonly hasEnded: boolean;
  readonly seen: Seen;
  /** Executions that the fault has started. */
  readonly others: readonly { readonly status: string; readonly error?: string }[];
}

function judge(asked: AskedFault, found: Found): RowResult {
  const { seen, restoredSeconds } = found;
  const lost = seen.requests.filter(isLost);
  const lostBeyond = lost.filter((request) => !isByFault(request, asked, found)).length;
  const result = {
    ...{ fault: asked.name, phase: asked.phase, outcome: found.outcome, cause: found.cause, weights: found.weights },
    lock: found.lock,
    ...(restoredSeconds !== undefined && { restoredSeconds }),
    requests: seen.requests.length,
    lostByFault: lost.length - lostBeyond,
    lostBeyond,
    dropped: seen.dropped.length,
    evidenceLost: found.evidenceLost,
    ...(found.moves && { moves: found.moves }),
  };
  return { ...result, wrong: findWrong(asked, result, found) };
}

function isByFault({ atMs, ms }: SeenRequest, asked: AskedFault, found: Found): boolean {
  const { injectedMs, restoredAtMs, leftMs } = found;
  if (injectedMs === undefined || atMs + ms < injectedMs) return false;
  switch (findEnding(asked).losses) {
    case 'none':
    case 'connections':
      return false;
    case 'moment':
      return atMs <= leftMs;
    case 'untilLeft':
      return atMs <= (restoredAtMs ?? Infinity) + SWITCH_MS;
    case 'throughout':
      return true;
  }
}

/** What each outcome leaves behind. `failed` leaves the weights where they are. */
function findLeft(
  outcome: string,
  { phase }: AskedFault,
  given: string | undefined,
): { readonly weights: string; readonly lock: 'free' | 'kept' } {
  if (outcome === 'completed') return { weights: '0/100', lock: 'free' };
  if (outcome !== 'failed') return { weights: '100/0', lock: 'free' };
  if (given !== undefined) return { weights: given, lock: 'kept' };
  const isInFirst = phase === 'shift' || phase === 'confirm' || phase === 'bake' || phase === 'hook';
  return { weights: isInFirst ? '50/50' : '0/100', lock: 'kept' };
}

function findWrong(asked: AskedFault, row: Omit<RowResult, 'wrong'>, found: Found): string[] {
  const { injectedMs, hasEnded, others } = found;
  const { outcomes, restoredWithin, losses, weights: given } = findEnding(asked);
  const wrong: string[] = [];
  const must = (holds: boolean, text: string) => {
    if (!holds) wrong.push(text);
  };
  must(injectedMs !== undefined, 'the phase was never reached');
  must(hasEnded, `the cutover must end within ${MAX_MS / 1000} s, got: ${row.cause}`);
  must(
    outcomes.includes(row.outcome as Outcome),
    `outcome must be ${outcomes.join(' or ')}, got ${row.outcome}: ${row.cause}`,
  );
  const { weights, lock } = findLeft(row.outcome, asked, given);
  must(row.weights === weights, `weights must be ${weights}, got ${row.weights}`);
  must(row.lock === lock, `lock must be ${lock}, got ${row.lock}`);
  must(row.lostBeyond === 0, `requests lost beyond the fault's own must be 0, got ${row.lostBeyond}`);
  if (restoredWithin !== undefined && row.outcome === 'rolled-back') {
    const seconds = row.restoredSeconds ?? Infinity;
    must(seconds <= restoredWithin, `restored within ${restoredWithin} s, got ${seconds.toFixed(1)} s`);
  }
  if (losses === 'none') must(row.dropped === 0, `WebSockets without a Close must be 0, got ${row.dropped}`);
  must(row.evidenceLost <= row.dropped, `the client must see ${row.evidenceLost} lost connections, got ${row.dropped}`);
  for (const { status, error } of others) {
    must(error === 'NotStarted', `another cutover must be NotStarted, got ${error ?? status}`);
  }
  wrong.push(...findWrongSide(asked, row, found), ...findWrongMoves(asked, found));
  return wrong;
}

type Moved = Pick<MovesSeen, 'moved' | 'rejected'>;

/** What a fault of moves has not met, where it was to meet some. */
const WRONG_MOVES: Partial<Readonly<Record<AskedFault['name'], (moves: Moved, seen: Seen) => string | undefined>>> = {
  'target-rejects-moves': ({ moved, rejected: { rejected = 0 } }, { closes }) => {
    const closed = closes[1012] ?? 0;
    const isRight = moved === 0 && rejected > 0 && closed >= rejected;
    return isRight
      ? undefined
      : `each move must be rejected, got ${moved} moved, ${rejected} rejected, ${closed} closed`;
  },
  'target-dies-in-moves': ({ rejected }) => {
    const failed = Object.values(rejected).reduce((sum, count) => sum + count, 0);
    return failed > 0 ? undefined : 'moves must fail, got none that did';
  },
  'source-proxy-killed-in-moves': ({ moved }, { dropped }) => {
    const isRight = moved > 0 && dropped.length > 0;
    return isRight ? undefined : `some must move, and some be lost, got ${moved} and ${dropped.length}`;
  },
};

function findWrongMoves({ name }: AskedFault, { moves, seen }: Found): string[] {
  const wrong = WRONG_MOVES[name]?.(moves ?? { moved: 0, rejected: {} }, seen);
  return wrong === undefined ? [] : [wrong];
}

/** The last requests are served by the side that the weights name. */
function findWrongSide({ name }: AskedFault, { weights }: Omit<RowResult, 'wrong'>, { seen }: Found): string[] {
  if (name === 'no-traffic') return [];
  const [source, target] = weights.split('/').map(Number);
  const sides = new Set(seen.requests.slice(-10).flatMap(({ status, side }) => (status === 200 ? [side] : [])));
  return [
    ...(source === 0 && sides.has('source') ? ['the last requests must be served by the target, got the source'] : []),
    ...(target === 0 && sides.has('target') ? ['the last requests must be served by the source, got the target'] : []),
  ];
}

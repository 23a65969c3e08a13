// The memory of one application moves there and back, under clients that are held.
import { fork } from 'node:child_process';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parsePlan } from '../../core/plan/plan';
import type { HookCallRecord } from '../../core/switch/hook';
import { SIDES, type Side } from '../../core/traffic/weights';
import { hostsPort } from '../../lambda/adapters/hosts';
import { callHost } from '../../lambda/state/hosts';
import { CheckpointHook } from '../../lambda/switch/checkpoint-hook';
import { switchOver } from '../../lambda/switch/switch-over';
import { computePause, type Pause } from '../../rehearsal/writes/pause';
import type { Workplace } from '../processes/workplace';
import { findApplication, type ApplicationState, type Kind } from './application';
import type { CountingOrder, CountingRecord } from './client';
import { CheckpointSetup } from './setup';

export interface MovesOptions {
  readonly kind: Kind;
  readonly criu: string;
  readonly megabytes: number;
  readonly perSecond: number;
  readonly moves: number;
}

/** Of one switch, in milliseconds. */
export interface Move {
  readonly to: Side;
  readonly why?: string;
  /** From the first call to hold to the last release. */
  readonly heldMs: number;
  /** From the call to dump to the first response of what was restored. */
  readonly frozenMs: number;
  readonly parts: Readonly<Partial<Record<HookCallRecord['part'], number>>>;
  readonly bytes: number;
}

export interface MovesResult extends Omit<MovesOptions, 'moves' | 'criu'> {
  readonly made: readonly Move[];
  readonly pause: Pause;
  readonly record: Omit<CountingRecord, 'waits'>;
  readonly state: ApplicationState;
  readonly loadAverage: number;
}

/** A session has one request at a time: enough of them to keep the rate in a pause. */
const SESSIONS = 200;
const WARM_UP_MS = 3_000;
const BETWEEN_MS = 2_000;

const PLAN = {
  documentName: 'checkpoint',
  source: { instanceId: 'i-00000001' },
  target: { instanceId: 'i-00000002' },
  verifyPath: '/verify',
};

export async function runMoves(place: Workplace, options: MovesOptions): Promise<MovesResult> {
  const { kind, criu, megabytes, perSecond, moves } = options;
  const application = findApplication(kind, megabytes);
  const setup = await CheckpointSetup.start(place, PLAN, { criu, application });
  try {
    const clients = startClients({ places: [setup.findPlace('source')], perSecond, sessions: SESSIONS });
    await pause(WARM_UP_MS);
    const made: (Move & { readonly fromMs: number })[] = [];
    for (let at = 0; at < moves; at += 1) {
      const fromMs = Date.now();
      made.push({ ...(await move(setup, at % 2 === 0 ? 'target' : 'source', at)), fromMs });
      await pause(BETWEEN_MS);
    }
    const { waits, ...record } = await clients.stop();
    const windows = made.map(({ fromMs, heldMs }) => ({ fromMs, toMs: fromMs + heldMs }));
    const seen = waits.map(([dueAtMs, ms]) => ({ dueAtMs, ms }));
    const state = (await (await fetch(`http://${setup.findPlace('source')}/state`)).json()) as ApplicationState;
    const [loadAverage = 0] = loadavg();
    return { kind, megabytes, perSecond, made, pause: computePause(seen, windows), record, state, loadAverage };
  } finally {
    await setup.stop();
  }
}

async function move({ ports }: CheckpointSetup, to: Side, at: number): Promise<Move> {
  const asked = { pointOfNoReturn: 'shared', maxPauseMs: 20_000, state: describeState() };
  const { switch: plan } = parsePlan({ strategy: 'drainThenShift', switch: asked });
  const execution = `move-${at}`;
  const { now, pause: wait } = ports;
  const hosts = hostsPort();
  const from = SIDES.find((each) => each !== to)!;
  for (const action of ['check', 'prepare'] as const) {
    const call = { side: from, action, copy: execution, epoch: 0 };
    const response = await callHost(PLAN, call, 60_000, { hosts, now, pause: wait });
    if ('problem' in response) throw new Error(response.problem);
  }
  const means = { hosts, now, pause: wait, host: 'bench' };
  const hook = new CheckpointHook({ ...plan!.state!, checkpoint: PLAN }, means, { id: execution });
  const probe = { path: '/state', expectedStatus: 200 };
  const findStop = () => Promise.resolve(undefined);
  const record = await switchOver({ to, execution, plan: plan!, findStop, probe, hook }, ports);
  if (!record) throw new Error('the switch must be ours, got another one');
  const calls = record.hook ?? [];
  const find = (part: HookCallRecord['part']) => calls.find((each) => each.part === part);
  const parts = Object.fromEntries(calls.map(({ part, tookMs }) => [part, tookMs]));
  const frozenMs = (['freeze', 'transfer', 'verify'] as const).reduce(
    (sum, part) => sum + (find(part)?.tookMs ?? 0),
    0,
  );
  return {
    to,
    ...(record.outcome === 'abort' && { why: record.why ?? 'no reason' }),
    ...{ heldMs: record.releasedMs ?? 0, frozenMs, parts, bytes: find('freeze')?.bytes ?? 0 },
  };
}

function describeState(): object {
  const { verifyPath, ...checkpoint } = PLAN;
  return { checkpoint: { ...checkpoint, verifyPath }, timeoutMs: { freeze: 8_000, transfer: 8_000, verify: 3_000 } };
}

function startClients(order: CountingOrder): { stop(): Promise<CountingRecord> } {
  const child = fork(join(__dirname, 'client.js'), [JSON.stringify(order)], { execArgv: [], stdio: 'inherit' });
  return {
    stop: () =>
      new Promise((resolve, reject) => {
        child.on('message', ({ record }: { record?: CountingRecord }) => record && resolve(record));
        child.once('exit', () => reject(new Error('the clients must say what they saw, got their end')));
        child.send({ stop: true });
      }),
  };
}

/** Counted twice: by who asked, and in the memory that has moved. */
export function findBreaches({ made, record, state }: MovesResult): string[] {
  const { failed, wrong, counted } = record;
  const total = Object.values(counted).reduce((sum, each) => sum + each, 0);
  const other = Object.entries(counted).filter(([session, count]) => state.sessions[session] !== count);
  return [
    ...made.flatMap(({ to, why }) => (why === undefined ? [] : [`a switch to the ${to} was aborted: ${why}`])),
    ...failed.slice(0, 3).map((each) => `a request failed: ${each}`),
    ...wrong.slice(0, 3),
    ...(state.count === total ? [] : [`the application must have counted ${total}, got ${state.count}`]),
    ...other.slice(0, 3).map(([session]) => `the session ${session} is not as its client counted it`),
  ];
}

export function formatResult(result: MovesResult): string {
  const { kind, megabytes, perSecond, made, record, pause: seen, loadAverage } = result;
  const list = (value: (each: Move) => number) => made.map((each) => `${Math.round(value(each))}`).join(', ');
  const breaches = findBreaches(result);
  return [
    `${kind}, ${megabytes} MB, ${perSecond} requests/s: ${made.length} moves, ${record.sent} requests, ${record.failed.length} failed, ${record.wrong.length} wrong counts`,
    `  held          ${list(({ heldMs }) => heldMs)} ms`,
    `  of it frozen  ${list(({ frozenMs }) => frozenMs)} ms, until the first response`,
    `  dump          ${list(({ parts }) => parts.freeze ?? 0)} ms, ${Math.round((made[0]?.bytes ?? 0) / 1e6)} MB`,
    `  restore       ${list(({ parts }) => parts.transfer ?? 0)} ms`,
    `  verify        ${list(({ parts }) => parts.verify ?? 0)} ms`,
    `  clients saw   p50 ${seen.p50Ms} ms, p99 ${seen.p99Ms} ms, max ${seen.maxMs} ms beyond the usual`,
    `  load of the machine at the end: ${loadAverage.toFixed(1)}`,
    breaches.length === 0 ? '  all as it must be' : breaches.map((each) => `  WRONG: ${each}`).join('\n'),
  ].join('\n');
}

// One switch at a fixed rate: what its clients waited because of it.
import { cpus, loadavg } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { parsePlan } from '../../core/plan/plan';
import type { SwitchRecord } from '../../core/switch/switch-record';
import { findWindow } from '../../rehearsal/report/switch-seen';
import { computePause, type Pause } from '../../rehearsal/writes/pause';
import { judgeWrites, type WritesTally } from '../../rehearsal/writes/judge-writes';
import type { Workplace } from '../processes/workplace';
import { Attempt } from './attempt';
import { PLAIN } from './parts';
import { SwitchSetup } from './setup';

/** As many as a second's requests of 200 ms would take. */
const WRITERS = 200;
const WARM_UP_MS = 15_000;
const BETWEEN_MS = 3_000;

export interface LoadOptions {
  readonly perSecond: number;
  /** One after the other, there and back. */
  readonly switches: number;
  /** Of the plan; 0: what waits is released at once. */
  readonly rampPerSecond: number;
  /** Writes that the target served before the first of them. */
  readonly trials: number;
}

export interface LoadResult extends LoadOptions {
  /** What the clients really sent, in each second. */
  readonly sentPerSecond: number;
  readonly writes: WritesTally;
  readonly failed: readonly string[];
  /** Of each switch by itself, in their order: there, and back. */
  readonly made: readonly { readonly record: SwitchRecord; readonly pause: Pause }[];
  /** Of all. */
  readonly pause: Pause;
  readonly loadAverage: number;
  readonly cores: number;
}

export const LOAD_LIMITS = { p99Ms: 100, maxMs: 250 } as const;

export async function runLoad(place: Workplace, options: LoadOptions): Promise<LoadResult> {
  const { perSecond, switches, rampPerSecond, trials } = options;
  const setup = await SwitchSetup.start(place);
  try {
    const asked = { pointOfNoReturn: 'shared', rampPerSecond };
    const { switch: plan } = parsePlan({ strategy: 'drainThenShift', switch: asked });
    await setup.tryTarget(trials);
    setup.startClients({ name: 'load', writers: WRITERS, perSecond });
    const startedMs = Date.now();
    await pause(WARM_UP_MS);
    const records: SwitchRecord[] = [];
    for (let made = 0; made < switches; made += 1) {
      const attempt = new Attempt(setup, PLAIN, plan!, `load-${made}`);
      // Each cutover has one: its holds are met by the same traffic, and count in no pause.
      await attempt.preflight();
      await pause(BETWEEN_MS);
      const { record } = await attempt.run();
      if (record) records.push(record);
      await pause(BETWEEN_MS);
    }
    const seconds = (Date.now() - startedMs) / 1000;
    const { sent, responses, failed } = await setup.stopClients();
    const seen = responses.filter(({ dueAtMs }) => dueAtMs > startedMs + WARM_UP_MS / 2);
    return {
      ...options,
      sentPerSecond: Math.round(sent.length / seconds),
      writes: judgeWrites(await setup.readLog(), sent),
      failed: failed.map(({ task, problem }) => `${task}: ${problem}`).slice(0, 10),
      made: records.map((record) => ({ record, pause: computePause(seen, findWindow(record)) })),
      pause: computePause(seen, records.flatMap(findWindow)),
      loadAverage: Number(loadavg()[0]?.toFixed(1)),
      cores: cpus().length,
    };
  } finally {
    await setup.stop();
  }
}

/** What is wrong with it; none where it was as it must be. */
export function findBreaches({ writes, failed, pause: { p99Ms, maxMs }, made }: LoadResult): string[] {
  const { lost, doubled, overlaps, staleEpochs } = writes;
  const counts = { lost, doubled, overlaps, 'stale epochs': staleEpochs, errors: failed.length };
  const aborted = made.filter(({ record }) => record.outcome === 'abort').length;
  return [
    ...Object.entries(counts).flatMap(([what, count]) => (count === 0 ? [] : [`${what} must be 0, got ${count}`])),
    ...(aborted > 0 ? [`every switch must be committed, got ${aborted} aborted`] : []),
    ...(p99Ms > LOAD_LIMITS.p99Ms ? [`p99 must be at most ${LOAD_LIMITS.p99Ms} ms, got ${p99Ms}`] : []),
    ...(maxMs > LOAD_LIMITS.maxMs ? [`the longest must be at most ${LOAD_LIMITS.maxMs} ms, got ${maxMs}`] : []),
  ];
}

export function formatLoad(result: LoadResult): string {
  const { perSecond, sentPerSecond, writes, made, trials, rampPerSecond, loadAverage, cores, pause } = result;
  const { lost, doubled, overlaps, bySide } = writes;
  const line = (name: string, { requests, p50Ms, p99Ms, maxMs }: Pause) =>
    `${name}: pause p50 ${p50Ms} ms, p99 ${p99Ms} ms, max ${maxMs} ms of ${requests} requests`;
  const breaches = findBreaches(result);
  return [
    `${sentPerSecond} of ${perSecond} writes a second, ${writes.sent} in all; source ${bySide.source}, target ${bySide.target}`,
    `the target had served ${trials} writes before; released ${rampPerSecond === 0 ? 'at once' : `${rampPerSecond} in the first second`}`,
    ...made.map(({ record, pause: own }) => {
      const { epoch, outcome, maxWaiting, heldMs, emptyMs, decidedMs, releasedMs } = record;
      const marks = `held ${heldMs}, empty ${emptyMs}, decided ${decidedMs}, released ${releasedMs} ms`;
      return line(`epoch ${epoch} ${outcome} (${marks}; ${maxWaiting} held at most)`, own);
    }),
    line('all', pause),
    `${writes.sent - writes.responded} errors, ${lost} lost, ${doubled} doubled, overlap ${overlaps}`,
    `load of the machine ${loadAverage} on ${cores} cores`,
    breaches.length === 0 ? 'as it must be' : `WRONG: ${breaches.join('; ')}`,
  ].join('\n');
}

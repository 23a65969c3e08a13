// One look of a gradual cutover at many proxy tasks: ECS lists them, each says what its requests did since the last look, and the
// ledger and the judge take that in. The code is that of the Lambda steps; the tasks are real admin servers in another process.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { keepLook } from '../../core/cutover/looks';
import { begin } from '../../core/cutover/run';
import { addToComparison, beginComparison, findShift, orderWindow, sumSides } from '../../core/judge/comparison';
import { packCounts, packReport } from '../../core/judge/look-record';
import { Watch, beginWatch, observe } from '../../core/judge/watch';
import { parsePlan } from '../../core/plan/plan';
import type { CutoverConfig } from '../../core/cutover/cutover-config';
import { proxiesPort } from '../../lambda/adapters/proxies/proxies';
import { median } from '../report/results';
import { startEcs } from './ecs';
import { addressOfTask } from './tasks';

export interface LookFigures {
  /** Of each side. */
  readonly tasks: number;
  /** Until the figures of all tasks are there, and what the function's own process computed for it. */
  readonly wallMs: number;
  readonly cpuMs: number;
  /** What the ledger and the judge take. */
  readonly judgeMs: number;
  /** At most, of the process that looks. */
  readonly files: number;
  readonly stateBytes: number;
  /** Tasks that did not respond, of all looks. */
  readonly silent: number;
}

const NONE = { source: 0, target: 0 };
const PLAN = parsePlan({});
/** How often the open files are counted while a look is under way. */
const COUNT_MS = 20;

/** @param count tasks of each side */
export async function measureLook(
  count: number,
  rounds: number,
  at: { port: number; key: string },
): Promise<LookFigures> {
  const child = fork(require.resolve('./tasks'), [String(2 * count), String(at.port), at.key]);
  await once(child, 'message');
  const addresses = Array.from({ length: 2 * count }, (_, index) => addressOfTask(index));
  const ecs = await startEcs({ source: addresses.slice(0, count), target: addresses.slice(count) }, at.key);
  // Read by the SDK when a client is made.
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: ecs.url,
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
  });
  const look = createLook(proxiesPort(configFor(at.port)));
  const figures: LookFigures[] = [];
  // The first one opens the connections to ECS, and compiles.
  for (let round = 0; round <= rounds; round += 1) {
    const measured = await look();
    if (round > 0) figures.push({ tasks: count, ...measured });
  }
  ecs.close();
  child.disconnect();
  await once(child, 'exit');
  const middle = (name: keyof LookFigures) => median(figures.map((each) => each[name]));
  return {
    tasks: count,
    wallMs: middle('wallMs'),
    cpuMs: middle('cpuMs'),
    judgeMs: middle('judgeMs'),
    files: Math.max(...figures.map(({ files }) => files)),
    stateBytes: Math.max(...figures.map(({ stateBytes }) => stateBytes)),
    silent: figures.reduce((sum, { silent }) => sum + silent, 0),
  };
}

function configFor(adminPort: number): CutoverConfig {
  const named = { clusterArn: 'bench', serviceNames: { source: 'source', target: 'target' }, adminSecretArn: 'bench' };
  return { ...named, adminPort } as unknown as CutoverConfig;
}

/** Each look follows the one before it, as in a bake. */
function createLook(proxies: ReturnType<typeof proxiesPort>): () => Promise<Omit<LookFigures, 'tasks'>> {
  let watch: Watch | undefined;
  let run = begin('bench', new Date().toISOString(), PLAN);
  return async () => {
    const order = orderWindow(watch?.comparison, 'bench', PLAN, Date.now());
    const files = countFiles();
    const [beganMs, before] = [performance.now(), process.cpuUsage()];
    const [source, target] = await Promise.all([proxies.tasks('source', order), proxies.tasks('target', order)]);
    const [wallMs, { user, system }] = [performance.now() - beganMs, process.cpuUsage(before)];
    const readMs = performance.now();
    const nowMs = Date.now();
    const windows = sumSides({ source, target });
    if (watch?.comparison) {
      const observed = observe(watch, { source, target }, NONE, nowMs, 'source');
      const comparison = addToComparison(watch.comparison, windows, order, PLAN, findShift(PLAN, 0));
      watch = { ...observed, comparison };
      const packed = { source: packReport(windows.source), target: packReport(windows.target) };
      const { after, until } = order;
      const counts = packCounts(watch);
      const poll = { kind: 'poll', at: nowMs, after, until, windows: packed, counts, odds: 1 } as const;
      run = keepLook({ ...run, watch }, { ...poll, isServing: true, isConfirmed: true });
    } else {
      watch = { ...beginWatch({ source, target }, nowMs), comparison: beginComparison(windows.source, order, PLAN) };
    }
    return {
      wallMs,
      cpuMs: (user + system) / 1_000,
      judgeMs: performance.now() - readMs,
      files: files.stop(),
      stateBytes: Buffer.byteLength(JSON.stringify({ ...run, watch })),
      silent: [...source, ...target].filter(({ report }) => !report).length,
    };
  };
}

function countFiles(): { stop(): number } {
  let most = 0;
  const count = () => (most = Math.max(most, readdirSync('/proc/self/fd').length));
  const timer = setInterval(count, COUNT_MS);
  return {
    stop: () => {
      clearInterval(timer);
      return most;
    },
  };
}

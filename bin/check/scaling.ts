import { resolve } from 'node:path';
import { Command } from 'commander';
import { ScalingPlan, checkScaling } from '../../check/scaling';
import { Store } from '../../check/store';
import { Latency } from '../../core/check/latency';
import { SCALING_PHASES, ScalingFigures, judgeScaling } from '../../core/check/scaling';
import { FINDING_NAMES } from '../../core/check/state';
import { machineTime } from '../../rehearsal/processes/machine-time';
import { UsageError } from '../../rehearsal/errors/usage-error';
import { ScaledService } from '../../rehearsal/scaled-service/scaled-service';
import { wholeNumberFrom } from '../shared/numbers';
import { WrongUse, runOperator } from '../shared/operator-command';
import { msFrom, timeOption } from './flags';
import { CheckContext, CheckReport, formatTable, runCheck, withExits } from './run-check';

interface ScalingFlags {
  readonly app: string;
  readonly connections: number;
  readonly roomSize: number;
  readonly minTasks: number;
  readonly maxTasks: number;
  readonly rounds: number;
  readonly interval: number;
  readonly hold: number;
  readonly timeout: number;
  readonly deregistrationDelay: number;
  readonly stickiness: boolean;
  readonly maxP99?: number;
  readonly json: boolean;
}

/** Adds `check scaling`. */
export function addScalingCheck(check: Command, done: (exitCode: number) => void): void {
  const command = check
    .command('scaling')
    .description(
      'run an application as an ECS service here, scale it out and in under load, and count what clients see',
    )
    .requiredOption('--app <folder>', "the application: its package.json has a 'start' script")
    .option('--connections <number>', 'WebSockets', wholeNumberFrom(1, 5_000), 500)
    .option('--room-size <number>', 'as many of them get what one sends', wholeNumberFrom(1, 100), 10)
    .option('--min-tasks <number>', 'tasks at first, and after each scale-in', wholeNumberFrom(1, 20), 2)
    .option('--max-tasks <number>', 'tasks after each scale-out', wholeNumberFrom(2, 20), 4)
    .option('--rounds <number>', 'scale-outs, each with a scale-in behind it', wholeNumberFrom(1, 100), 3)
    .addOption(timeOption('--interval <time>', 'between two messages of a WebSocket', [10, 600_000], '2s'))
    .addOption(timeOption('--hold <time>', 'before, between and after the scalings', [100, 600_000], '3s'))
    .addOption(timeOption('--timeout <time>', 'of each request, handshake and response', [1, 600_000], '10s'))
    .addOption(timeOption('--deregistration-delay <time>', 'of the target group', [1_000, 3_600_000], '5s'))
    .option('--no-stickiness', 'the load balancer sets no cookie: shows what the check finds then')
    .option('--max-p99 <time>', 'the latency of 99 of 100 acknowledgements while it scales', msFrom(1, 600_000))
    .option('--json', 'print JSON', false);
  withExits(command).action(async (flags: ScalingFlags) => done(await run(flags)));
}

function run(flags: ScalingFlags): Promise<number> {
  const { minTasks, maxTasks, json, app } = flags;
  if (maxTasks <= minTasks) {
    const problem = `'--max-tasks' must be more than '--min-tasks', which is ${minTasks}, got ${maxTasks}`;
    return runOperator(() => Promise.reject(new WrongUse(problem)));
  }
  return runCheck('scaling', { url: app, json }, (context) => rehearse(flags, context));
}

async function rehearse(flags: ScalingFlags, { signal, progress }: CheckContext): Promise<CheckReport> {
  const { app, connections, roomSize, minTasks, maxTasks, rounds, interval, hold, timeout, stickiness } = flags;
  const broken = new AbortController();
  const work = AbortSignal.any([signal, broken.signal]);
  progress.describe = () => `starting ${minTasks} tasks`;
  const service = await start(flags, work, (reason) =>
    broken.abort(new Error(`the tasks of '${app}' must stay up, got ${reason}`)),
  );
  try {
    const url = new URL(`unix:${service.storePath}`);
    const store = await Store.open({ url, database: 0, insecure: false, timeoutMs: timeout });
    try {
      const tasks = { from: minTasks, to: maxTasks };
      const plan: ScalingPlan = {
        ...{ connections, roomSize, tasks, rounds, intervalMs: interval, holdMs: hold, timeoutMs: timeout },
        startLimit: (ms, late) => machineTime.limit(ms, late),
      };
      const figures = await checkScaling(service, store, plan, work, progress);
      if (broken.signal.aborted) throw broken.signal.reason;
      const judgement = judgeScaling(figures, { maxP99Ms: flags.maxP99 }, signal.aborted);
      return { figures: { stickiness, tasks, ...figures }, lines: describe(figures), judgement };
    } finally {
      store.close();
    }
  } finally {
    await service.stop();
  }
}

async function start(flags: ScalingFlags, signal: AbortSignal, onBroken: (reason: string) => void) {
  try {
    return await ScaledService.start(
      {
        ...{ app: resolve(flags.app), tasks: flags.minTasks, isSticky: flags.stickiness, healthPath: '/health' },
        ...{ deregistrationDelaySeconds: flags.deregistrationDelay / 1000, onBroken },
      },
      signal,
    );
  } catch (error) {
    throw error instanceof UsageError ? new WrongUse(error.message) : error;
  }
}

function describe(figures: ScalingFigures): string[] {
  const { connections, opened, requests, strayed, failedRequests, dropped, events, sent, acknowledged } = figures;
  const { delivered, lost, doubled, wrongStates, state, latencyMs, problems } = figures;
  const moved = events.reduce((sum, event) => sum + event.moved, 0);
  const keys = FINDING_NAMES.map((name) => `${state[name]?.count ?? 0} ${name}`).join(', ');
  return [
    ...formatTable([
      ['TASKS', 'SECONDS', 'MOVED', 'CONNECTIONS'],
      ...events.map((event) => [
        ...[`${event.from} → ${event.to}`, event.seconds, event.moved],
        Object.values(event.tasks).join(' '),
      ]),
    ]),
    '',
    `stickiness   ${strayed} of ${requests} requests came to another task, ${failedRequests} failed`,
    `connections  ${opened} of ${connections} opened, ${dropped} dropped, ${moved} moved in order`,
    `messages     ${sent} sent, ${acknowledged} acknowledged, ${delivered} delivered, ${lost} lost, ${doubled} doubled`,
    `state        ${wrongStates} wrong; keys: ${keys}`,
    ...SCALING_PHASES.map((phase) => `${`latency ${phase}`.padEnd(16)} ${describeLatency(latencyMs[phase])}`),
    ...problems.map(({ problem, count: times }) => `seen (${times}): ${problem}`),
  ];
}

function describeLatency(latency: Latency | undefined): string {
  if (!latency) return 'not measured';
  const { p50, p95, p99, max } = latency;
  return `p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms, longest ${max} ms`;
}

import { setTimeout as pause } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { describeHolder } from '../core/traffic/lock';
import { MAX_WEIGHT, Weights, formatWeights, isWeight } from '../core/traffic/weights';
import { readDecimal } from './shared/numbers';
import {
  EXIT,
  OperatorFlags,
  WrongUse,
  agrees,
  asJson,
  connect,
  manualExecution,
  noteLock,
  operatorCommand,
  runOperator,
  warn,
} from './shared/operator-command';
import type { Stop } from './shared/stop';
import { WeightsReading, changeWeights, readWeights } from './shared/weights-change';

interface SetFlags extends OperatorFlags {
  readonly source: number;
  readonly target: number;
  readonly yes: boolean;
  readonly force: boolean;
}

/** Adds `weights get` and `weights set`. */
export function addWeightsCommand(cli: Command, done: (exitCode: number) => void): void {
  const weights = cli
    .command('weights')
    .description('look at the weights in force of a deployed cutover, or set them by hand');
  operatorCommand(weights.command('get'), 'print the weights in force, and who holds the lock').action(
    async (flags: OperatorFlags) => done(await runOperator(() => get(flags))),
  );
  operatorCommand(weights.command('set'), 'set the weights, confirm them by read-back')
    .requiredOption('--source <weight>', 'the share of the backend that serves today', weightFrom)
    .requiredOption('--target <weight>', 'the share of the backend that will serve', weightFrom)
    .option('--yes', 'do not ask', false)
    .option('--force', 'also where a side that gets weight has no healthy target', false)
    .action(async (flags: SetFlags) => done(await runOperator((stop) => set(flags, stop))));
}

function weightFrom(text: string): number {
  const value = readDecimal(text);
  if (isWeight(value)) return value;
  throw new InvalidArgumentError(`must be an integer from 0 to ${MAX_WEIGHT}, got '${text}'`);
}

async function get(flags: OperatorFlags): Promise<number> {
  const { ports } = await connect(flags);
  const reading = await readWeights(ports);
  process.stdout.write(flags.json ? asJson({ stack: flags.stack, ...summarize(reading) }) : asText(reading));
  return EXIT.done;
}

async function set(flags: SetFlags, { signal, endInOrder }: Stop): Promise<number> {
  const weights = { source: flags.source, target: flags.target };
  if (weights.source === 0 && weights.target === 0) {
    throw new WrongUse("'--source' and '--target' must be weights of which at least one is above 0, got 0 and 0");
  }
  if (!flags.yes && !process.stdin.isTTY) {
    throw new WrongUse("'--yes' must be given where no operator can be asked, got none");
  }
  const { ports } = await connect(flags);
  const execution = manualExecution();
  const result = await changeWeights(ports, {
    weights,
    execution,
    isForced: flags.force,
    agree: async (before) => flags.yes || agrees(formatPrompt(before, weights, flags.stack), signal),
    endInOrder,
    onLock: (isHeld) => noteLock(isHeld, execution),
    warn,
    signal,
    now: () => Date.now(),
    pause: (ms) => pause(ms),
  });
  if (flags.json) process.stdout.write(asJson({ stack: flags.stack, ...result, weights }));
  else process.stdout.write(`${SAYING[result.outcome](result.before, weights)}\n`);
  return result.outcome === 'declined' ? EXIT.refused : EXIT.done;
}

const SAYING = {
  changed: (before: Weights, weights: Weights) =>
    `changed from ${formatWeights(before)} to ${formatWeights(weights)}, and read back`,
  unchanged: (before: Weights) => `the weights are ${formatWeights(before)} already: nothing was changed`,
  declined: (before: Weights) => `nothing was changed: the weights are ${formatWeights(before)}`,
} as const;

function formatPrompt(before: Weights, weights: Weights, stack: string): string {
  return `Set the weights of '${stack}' from ${formatWeights(before)} to ${formatWeights(weights)} (source/target)? [y/N] `;
}

function summarize({ ruleArn, weights, forward, lock }: WeightsReading) {
  const { enabled, seconds } = forward.stickiness;
  const until = lock?.expiresAt !== undefined && { until: lock.expiresAt };
  const holder = lock ? { execution: lock.execution, since: lock.startedAt, ...until } : null;
  return { ruleArn, weights, stickinessSeconds: enabled ? seconds : null, lock: holder };
}

function asText({ ruleArn, weights, lock }: WeightsReading): string {
  const share = (weight: number) =>
    `${((100 * weight) / (weights.source + weights.target)).toFixed(1)} % of new clients`;
  const lines = [
    `source  ${String(weights.source).padEnd(3)}  ${share(weights.source)}`,
    `target  ${String(weights.target).padEnd(3)}  ${share(weights.target)}`,
    `lock    ${lock ? describeHolder(lock) : 'free'}`,
    `rule    ${ruleArn}`,
  ];
  return `${lines.join('\n')}\n`;
}

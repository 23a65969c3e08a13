import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { LOCK_SECONDS, describeHolder } from '../core/lock';
import { MAX_WEIGHT, Weights, formatWeights, isWeight } from '../core/weights';
import type { CutoverWiring } from '../core/wiring';
import type * as Operator from '../lambda/adapters/operator';
import { WeightsReading, changeWeights, readWeights } from './weights-change';

export const EXIT = { done: 0, refused: 1, wrongUse: 64 } as const;

export interface GetFlags {
  readonly stack: string;
  readonly cutover?: string;
  readonly region?: string;
  readonly profile?: string;
  readonly json: boolean;
}

interface SetFlags extends GetFlags {
  readonly source: number;
  readonly target: number;
  readonly yes: boolean;
  readonly force: boolean;
}

/** What a person asked for cannot be meant. */
export class WrongUse extends Error {}

/** Adds `weights get` and `weights set`. */
export function addWeightsCommand(cli: Command, done: (exitCode: number) => void): void {
  const weights = cli
    .command('weights')
    .description('look at the weights in force of a deployed cutover, or set them by hand');
  shared(weights.command('get'), 'print the weights in force, and who holds the lock').action(async (flags: GetFlags) =>
    done(await run(() => get(flags))),
  );
  shared(weights.command('set'), 'set the weights, confirm them by read-back')
    .requiredOption('--source <weight>', 'the share of the backend that serves today', weightFrom)
    .requiredOption('--target <weight>', 'the share of the backend that will serve', weightFrom)
    .option('--yes', 'do not ask', false)
    .option('--force', 'also where a side that gets weight has no healthy target', false)
    .action(async (flags: SetFlags) => done(await run((signal) => set(flags, signal))));
}

export function shared(command: Command, description: string): Command {
  return command
    .description(description)
    .requiredOption('--stack <name>', 'the stack that the cutover is in')
    .option('--cutover <output>', 'the output with its wiring, when the stack has several cutovers')
    .option('--region <region>', 'instead of the one of your environment or profile')
    .option('--profile <name>', 'a profile of your AWS configuration')
    .option('--json', 'print JSON', false)
    .addHelpText('after', '\nExit codes: 0 done, 1 refused or failed, 64 wrong use.');
}

function weightFrom(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && isWeight(value)) return value;
  throw new InvalidArgumentError(`must be an integer from 0 to ${MAX_WEIGHT}, got '${text}'`);
}

/** What somebody who ends it at once has to know. */
let heldLock: string | undefined;

export function warn(message: string): void {
  process.stderr.write(`drainshift: ${message}\n`);
}

/** Ends in order when it is asked to stop: what was taken is given back. Asked again, at once. */
export async function run(work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const stopped = new AbortController();
  const stop = () => {
    if (stopped.signal.aborted) {
      if (heldLock !== undefined) warn(`ended at once: ${heldLock}`);
      process.exit(EXIT.refused);
    }
    stopped.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  try {
    return await work(stopped.signal);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    // An error of a system call has its name alone.
    const message = /^(connect|getaddrinfo) /.test(said) ? `AWS must be reachable, got ${said}` : said;
    // The SDK's own words leave open where a region comes from.
    const isNowhere = message === 'Region is missing';
    const rule = "'--region' must be given where neither AWS_REGION nor the profile names one, got none";
    warn(isNowhere ? rule : message);
    return isNowhere || error instanceof WrongUse ? EXIT.wrongUse : EXIT.refused;
  }
}

async function get(flags: GetFlags): Promise<number> {
  const { ports } = await connect(flags);
  const reading = await readWeights(ports);
  process.stdout.write(flags.json ? asJson({ stack: flags.stack, ...summaryOf(reading) }) : asText(reading));
  return EXIT.done;
}

async function set(flags: SetFlags, signal: AbortSignal): Promise<number> {
  const weights = { source: flags.source, target: flags.target };
  if (weights.source === 0 && weights.target === 0) {
    throw new WrongUse("'--source' and '--target' must be weights of which one at least is over 0, got 0 and 0");
  }
  if (!flags.yes && !process.stdin.isTTY) {
    throw new WrongUse("'--yes' must be given where nobody can be asked, got none");
  }
  const { ports } = await connect(flags);
  const execution = manualExecution();
  const result = await changeWeights(ports, {
    weights,
    execution,
    isForced: flags.force,
    agree: async (before) => flags.yes || agrees(questionOf(before, weights, flags.stack), signal),
    onLock: (isHeld) => noteLock(isHeld, execution),
    signal,
    now: () => Date.now(),
    pause: (ms) => pause(ms),
  });
  if (flags.json) process.stdout.write(asJson({ stack: flags.stack, ...result, weights }));
  else process.stdout.write(`${SAYING[result.outcome](result.before, weights)}\n`);
  return result.outcome === 'declined' ? EXIT.refused : EXIT.done;
}

/** The name under which a person's command holds the lock. */
export function manualExecution(): string {
  return `manual-${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${process.pid}`;
}

export function noteLock(isHeld: boolean, execution: string): void {
  heldLock = isHeld ? lockNote(execution) : undefined;
}

/** From before the lock is asked for: its answer may be under way. */
function lockNote(execution: string): string {
  const endsAt = new Date(Date.now() + LOCK_SECONDS.manual * 1000).toISOString();
  return `the lock may still be held by '${execution}'; it ends by itself at ${endsAt} at the latest. Look at the weights`;
}

const SAYING = {
  changed: (before: Weights, weights: Weights) =>
    `changed from ${formatWeights(before)} to ${formatWeights(weights)}, and read back`,
  unchanged: (before: Weights) => `the weights are ${formatWeights(before)} already: nothing was changed`,
  declined: (before: Weights) => `nothing was changed: the weights are ${formatWeights(before)}`,
} as const;

function questionOf(before: Weights, weights: Weights, stack: string): string {
  return `Set the weights of '${stack}' from ${formatWeights(before)} to ${formatWeights(weights)} (source/target)? [y/N] `;
}

/** On the error stream: what is printed stays clean for a program to read. */
export async function agrees(question: string, signal: AbortSignal): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // A terminal in raw mode hands Ctrl-C over as text.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    return /^y(es)?$/i.test((await terminal.question(question, { signal })).trim());
  } catch (error) {
    // Ctrl-C, or the end of the input: no answer is a no.
    if (error instanceof Error && error.name === 'AbortError') return false;
    throw error;
  } finally {
    terminal.close();
  }
}

async function connect(flags: GetFlags): Promise<{ ports: Operator.OperatorPorts }> {
  const { aws, wiring } = await findCutover(flags);
  return { ports: aws.operatorPorts(wiring, warn) };
}

interface FoundCutover {
  readonly aws: typeof Operator;
  readonly wiring: CutoverWiring;
}

export async function findCutover({ stack, cutover, region, profile }: GetFlags): Promise<FoundCutover> {
  // Read by the SDK as it is loaded and used.
  if (region !== undefined) process.env.AWS_REGION = region;
  if (profile !== undefined) process.env.AWS_PROFILE = profile;
  const aws = (await import(join(__dirname, '..', 'assets', 'cli', 'operator.js'))) as typeof Operator;
  return { aws, wiring: choose(await aws.findWirings(stack), stack, cutover) };
}

function choose(
  wirings: ReadonlyMap<string, CutoverWiring>,
  stack: string,
  cutover: string | undefined,
): CutoverWiring {
  const names = [...wirings.keys()].join(', ') || 'none';
  if (cutover === undefined && wirings.size > 1) {
    throw new WrongUse(`'--cutover' must be given, because '${stack}' has several: one of ${names}, got none`);
  }
  const wiring = cutover === undefined ? [...wirings.values()][0] : wirings.get(cutover);
  if (!wiring)
    throw new Error(`'${stack}' must have an output ${cutover ?? 'that ends in CutoverWiring'}, got ${names}`);
  return wiring;
}

function summaryOf({ ruleArn, weights, forward, lock }: WeightsReading) {
  const { enabled, seconds } = forward.stickiness;
  const until = lock?.expiresAt !== undefined && { until: lock.expiresAt };
  const holder = lock ? { execution: lock.execution, since: lock.startedAt, ...until } : null;
  return { ruleArn, weights, stickinessSeconds: enabled ? seconds : null, lock: holder };
}

export function asJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
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

import { Command, InvalidArgumentError } from 'commander';
import { ExecutionLook, findEnd } from '../../core/cutover/execution-look';
import { CutoverError } from '../../core/errors/errors';
import { findDirection } from '../../core/plan/direction';
import type { Plan } from '../../core/plan/plan';
import { formatWeights, sameQuotas } from '../../core/traffic/weights';
import { shellWord } from '../../core/text/shell-word';
import {
  ChangingFlags,
  EXIT,
  agreesTo,
  asJson,
  changingCommand,
  checkCanAsk,
  printDeclined,
  runOperator,
} from '../shared/operator-command';
import type { Stop } from '../shared/stop';
import { WeightsReading, readWeights } from '../shared/weights-change';
import { Connected, connectCutover, newExecution } from './connect';
import { checkPlan, readGivenPlan } from './given-plan';
import { describeGates, describeWatch, describeWay } from './describe';

interface StartFlags extends ChangingFlags {
  readonly plan?: string;
  readonly name?: string;
}

/** Adds `start`. */
export function addStartCommand(cli: Command, done: (exitCode: number) => void): void {
  changingCommand(
    cli.command('start'),
    'start a cutover by the deployed plan, or by another one that is at least as careful',
  )
    .option('--plan <file>', 'a plan (JSON or YAML) in place of the deployed one', undefined)
    .option('--name <name>', 'of the execution, for its evidence: one that no cutover had', nameFrom)
    .action(async (flags: StartFlags) => done(await runOperator((stop) => start(flags, stop), NOTHING_STARTED)));
}

/** @see https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html (name) */
function nameFrom(text: string): string {
  if (/^[A-Za-z0-9_-]{1,80}$/.test(text)) return text;
  throw new InvalidArgumentError(`must be 1 to 80 letters, digits, '-' and '_', got ${JSON.stringify(text)}`);
}

const NOTHING_STARTED = 'nothing was started';

async function start(flags: StartFlags, stop: Stop): Promise<number> {
  checkCanAsk(flags);
  // Before anything is called: what breaks a rule is no plan of any stack.
  const given = flags.plan === undefined ? undefined : readGivenPlan(flags.plan);
  const { ports } = await connectCutover(flags);
  const execution = flags.name ?? newExecution('cutover');
  const plan = await checkPlan(ports, given?.plan);
  const reading = await readWeights(ports);
  await checkFree(ports, reading, flags.name);
  checkWeights(reading, plan, flags.stack);
  const what = describeStart(flags.stack, execution, plan, reading);
  if (!(await agreesTo(what, 'Start it?', flags, stop.signal))) {
    printDeclined(flags, NOTHING_STARTED, execution);
    return EXIT.refused;
  }
  const startedBy = await ports.whoAmI();
  const input = { ...(given && { plan: given.raw }), ...(startedBy !== undefined && { startedBy }) };
  stop.endInOrder();
  await startExecution(ports, execution, input, flags.stack);
  if (flags.json) process.stdout.write(asJson({ stack: flags.stack, execution, startedBy: startedBy ?? null, plan }));
  else process.stdout.write(`started '${execution}'. ${describeWatch(flags.stack, execution)}\n`);
  return EXIT.done;
}

async function checkFree(
  { store, describeHeld }: Connected['ports'],
  { lock }: WeightsReading,
  name: string | undefined,
): Promise<void> {
  if (lock) {
    const advice = "'drainshift status' says what it does";
    throw new CutoverError('LockHeld', `the lock must be free, got one ${await describeHeld(lock)}: ${advice}`);
  }
  if (name === undefined) return;
  const rule = `'--name' must be one that no cutover had, got '${name}'`;
  if ((await store.readEvidence(name)) !== undefined) throw new CutoverError('NameUsed', `${rule}, which has evidence`);
  if (await store.abortRequested(name)) throw new CutoverError('NameUsed', `${rule}, which was asked to stop`);
}

/** The preflight would find the same, after a question that tells of a way which the traffic does not go. */
function checkWeights({ weights }: WeightsReading, plan: Plan, stack: string): void {
  const { initialWeights } = plan;
  if (sameQuotas(weights, initialWeights)) return;
  const { from, to } = findDirection(plan);
  const rule = `the weights in force must be ${formatWeights(initialWeights)}, with which the plan begins`;
  const set = `drainshift weights set --stack ${shellWord(stack)} --source ${initialWeights.source} --target ${initialWeights.target}`;
  const isDone = weights[from] === 0 && weights[to] > 0;
  const advice = isDone ? `all traffic is on the ${to} already` : `before it starts run: ${set}`;
  throw new CutoverError('WeightsUnexpected', `${rule}, got ${formatWeights(weights)}: ${advice}`);
}

function describeStart(stack: string, execution: string, plan: Plan, { weights }: WeightsReading): string[] {
  const { from, to } = findDirection(plan);
  const end = plan.stages.at(-1)!.weights;
  return [
    `Start the cutover '${execution}' of '${stack}': all traffic from the ${from} to the ${to}, from ${formatWeights(weights)} to ${formatWeights(end)} (source/target).`,
    ...describeWay(plan),
    ...describeGates(plan),
  ];
}

/** How far the clock of this computer may be from that of AWS: it signs no request beyond. */
const MAX_SKEW_MS = 300_000;

/** The response to a start may be lost: then it is looked at whether there is one, which must be this one. */
async function startExecution(
  { executions }: Connected['ports'],
  execution: string,
  input: object,
  stack: string,
): Promise<void> {
  const askedMs = Date.now();
  try {
    await executions.start(execution, input);
  } catch (error) {
    const { name, message } = error as Error;
    const rule = `'--name' must be one that no cutover had, got '${execution}'`;
    if (name === 'ExecutionAlreadyExists') throw new CutoverError('NameUsed', rule, { cause: error });
    if (name !== 'AwsUnavailable') throw error;
    const found = await executions.look(execution).catch(() => undefined);
    if (found && isStarted(found, input, askedMs)) return;
    if (found) throw new CutoverError('NameUsed', `${rule}, which ${describeUsed(found)}`, { cause: error });
    const status = `drainshift status --stack ${shellWord(stack)} --execution ${execution}`;
    throw new CutoverError('AwsUnavailable', `${message}. It may have started all the same: ${status}`, {
      cause: error,
    });
  }
}

/** As Step Functions itself takes a second start for the first: the same input, and not one that had ended by then. */
function isStarted(found: ExecutionLook, input: object, askedMs: number): boolean {
  const isSame = JSON.stringify(found.input) === JSON.stringify(input);
  return isSame && (!findEnd(found) || (found.startedAtMs ?? 0) >= askedMs - MAX_SKEW_MS);
}

function describeUsed(found: ExecutionLook): string {
  const outcome = findEnd(found);
  return outcome ? `has ended: ${outcome}` : 'is under way with another input';
}

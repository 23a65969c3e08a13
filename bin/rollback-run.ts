import { ExecutionEnd, ExecutionLook, ROLLBACK_ACTION, describeLook, findEnd } from '../core/cutover/execution-look';
import { CutoverError } from '../core/errors/errors';
import { listGates } from '../core/approval/approval';
import { formatSeconds } from '../core/plan/explain';
import { findDirection } from '../core/plan/direction';
import { Plan, estimateSeconds } from '../core/plan/plan';
import { reversePlan } from '../core/plan/reverse-plan';
import type { SwitchRecord } from '../core/switch/switch-record';
import { LockHolder, describeHolder } from '../core/traffic/lock';
import { Side, Weights, formatWeights, sameQuotas } from '../core/traffic/weights';
import type { RollbackPorts } from '../lambda/operator';
import { readWeights } from './weights-change';

/** One rollback by a person. */
export interface RollbackRequest {
  readonly stack: string;
  /** Its name, unless one is under way. */
  readonly execution: string;
  /** Asked with what it will do before anything is started. */
  readonly agree: (prompt: string) => Promise<boolean>;
  /** Receives one line for each step of it. */
  readonly report: (line: string) => void;
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly pause: (ms: number) => Promise<void>;
}

export interface RollbackResult {
  readonly from: Side;
  readonly to: Side;
  /** `unchanged`: there was nothing to roll back. `unfollowed`: it goes on without the command. */
  readonly outcome: ExecutionEnd | 'unchanged' | 'declined' | 'unfollowed';
  readonly execution?: string;
  /** It was under way already. */
  readonly isJoined?: true;
  readonly cause?: string;
  readonly switches?: readonly SwitchRecord[];
}

const POLL_MS = 2_000;
/** What happened last is repeated after so long, so that a person sees that it goes on. */
const REPEAT_MS = 30_000;
/** Step Functions may not know an execution at once that it has started. */
const MAX_UNKNOWN_MS = 60_000;
const MAX_UNREADABLE_MS = 600_000;

/**
 * Rolls a completed cutover back: an execution of the state machine whose plan is the deployed one with its sides exchanged.
 * Follows one that is under way.
 *
 * @throws CutoverError `LockHeld`, `WeightsUnexpected`, `RuleNotWeighted`, `AwsUnavailable`
 */
export async function rollBackCutover(ports: RollbackPorts, request: RollbackRequest): Promise<RollbackResult> {
  const plan = reversePlan(await ports.executions.deployedPlan());
  const direction = findDirection(plan);
  const { weights, lock } = await readWeights(ports);
  if (lock) {
    await checkHolder(lock, plan, ports);
    const { execution } = lock;
    request.report(`a rollback is under way since ${lock.startedAt}: '${execution}'. Following it`);
    return { ...direction, isJoined: true, ...(await follow(execution, ports, request)) };
  }
  if (await isDone(weights, plan, ports, request)) return { ...direction, outcome: 'unchanged' };
  if (!(await request.agree(formatPrompt(plan, weights, request)))) return { ...direction, outcome: 'declined' };
  const { execution } = request;
  await ports.executions.start(execution, { action: ROLLBACK_ACTION });
  request.report(`started '${execution}'. It goes on also without this command`);
  return { ...direction, ...(await follow(execution, ports, request)) };
}

/** The lock of a rollback is no obstacle: it is the one that is asked for. */
async function checkHolder(lock: LockHolder, plan: Plan, { executions }: RollbackPorts): Promise<void> {
  const holder = `the lock must be free, got one ${describeHolder(lock)}`;
  const look = await executions.look(lock.execution);
  if (!look) throw new CutoverError('LockHeld', holder);
  const end = findEnd(look);
  if (end === undefined && isRollback(look, plan)) return;
  if (end === undefined) throw new CutoverError('LockHeld', `${holder}, a cutover that is under way: abort it instead`);
  const advice = 'Read its evidence and the weights, then delete lock.json from the store';
  throw new CutoverError('LockHeld', `${holder}, which ended as ${look.error ?? look.status}. ${advice}`);
}

function isRollback({ input }: ExecutionLook, { from }: Plan): boolean {
  const { action, plan } = (input ?? {}) as { readonly action?: unknown; readonly plan?: { readonly from?: unknown } };
  return action === ROLLBACK_ACTION || plan?.from === from;
}

/** @throws CutoverError `WeightsUnexpected` where the weights are neither those before it nor those behind it */
async function isDone(
  weights: Weights,
  plan: Plan,
  ports: RollbackPorts,
  { stack }: RollbackRequest,
): Promise<boolean> {
  const { from, to } = findDirection(plan);
  if (sameQuotas(weights, plan.initialWeights)) return false;
  const expected = formatWeights(plan.initialWeights);
  const set = `drainshift weights set --stack ${stack} --source ${plan.initialWeights.source} --target ${plan.initialWeights.target}`;
  const regime = plan.switch && (await ports.regime());
  if (regime?.isJoined && regime.side === from) {
    const rule = `the weights must be ${expected}, because the proxies of both sides forward to the ${from}`;
    throw new CutoverError('WeightsUnexpected', `${rule}, got ${formatWeights(weights)}. Run: ${set}`);
  }
  if (weights[from] === 0 && weights[to] > 0) return true;
  const rule = `the weights in force must be ${expected}, as a cutover leaves them`;
  throw new CutoverError(
    'WeightsUnexpected',
    `${rule}, got ${formatWeights(weights)}. A cutover by the deployed plan must have completed`,
  );
}

function formatPrompt(plan: Plan, weights: Weights, { stack }: RollbackRequest): string {
  const { from, to } = findDirection(plan);
  const gates = listGates(plan.approval, plan.stages.length);
  const lines = [
    `Roll '${stack}' back: all traffic from the ${from} to the ${to}, from ${formatWeights(weights)} to ${formatWeights(plan.stages.at(-1)!.weights)} (source/target).`,
    ...describeWay(plan, to),
    `Then the ${from} is drained. In all about ${formatSeconds(estimateSeconds(plan).typical)}. If the ${to} fails meanwhile, the traffic returns to the ${from}.`,
    describeWrites(plan, from),
    ...(gates.length > 0 ? [`It waits for an approval at: ${gates.join(', ')}.`] : []),
  ];
  return `${lines.join('\n')}\nStart it? [y/N] `;
}

function describeWay({ switch: switching, stages }: Plan, to: Side): string[] {
  const [first] = stages;
  if (!switching)
    return [`In ${stages.length} stages: ${stages.map(({ weights }) => formatWeights(weights)).join(', ')}.`];
  const wait = `Requests wait for up to ${switching.maxPauseMs} ms, until one decision is written, and then go to the ${to}.`;
  const dry = switching.dryRun ? ['The plan is a dry run: the decision is an abort, and nothing moves.'] : [];
  return [wait, ...dry, `Both sides are watched for ${formatSeconds(first!.bakeSeconds)}.`];
}

function describeWrites({ switch: switching }: Plan, from: Side): string {
  if (switching?.pointOfNoReturn === 'shared')
    return `What the ${from} has written is kept: both sides have the same store.`;
  if (switching) return `What the ${from} has written is LOST to the other side, as the plan accepts.`;
  return `What the ${from} has written stays with it. It is lost to the other side unless both share their data.`;
}

type Followed = Pick<RollbackResult, 'execution' | 'outcome' | 'cause' | 'switches'>;

/** Until it has ended, or the person leaves. */
async function follow(execution: string, ports: RollbackPorts, request: RollbackRequest): Promise<Followed> {
  const { now, pause, signal, report } = request;
  const startedMs = now();
  let said = { line: '', atMs: startedMs };
  let readMs = startedMs;
  while (!signal.aborted) {
    const read = await lookAt(execution, ports);
    if ('problem' in read) {
      const limitMs = read.isUnknown ? MAX_UNKNOWN_MS : MAX_UNREADABLE_MS;
      if (now() - readMs >= limitMs)
        throw new CutoverError('AwsUnavailable', `${read.problem}. '${execution}' goes on`);
    } else {
      readMs = now();
      const outcome = findEnd(read.look);
      const { run, cause } = read.look;
      if (outcome)
        return {
          execution,
          outcome,
          ...(cause !== undefined && { cause }),
          ...(run?.switches && { switches: run.switches }),
        };
    }
    const line = 'problem' in read ? `not readable now: ${read.problem}` : describeLook(read.look);
    if (line !== said.line || now() - said.atMs >= REPEAT_MS) {
      report(`${formatSeconds(Math.round((now() - startedMs) / 1000))}  ${line}`);
      said = { line, atMs: now() };
    }
    await pause(POLL_MS);
  }
  return { execution, outcome: 'unfollowed' };
}

type Read = { readonly look: ExecutionLook } | { readonly problem: string; readonly isUnknown: boolean };

async function lookAt(execution: string, { executions }: RollbackPorts): Promise<Read> {
  try {
    const look = await executions.look(execution);
    return look ? { look } : { problem: `Step Functions does not know '${execution}'`, isUnknown: true };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error), isUnknown: false };
  }
}

import { ExecutionEnd, ExecutionLook, ROLLBACK_ACTION, describeLook, findEnd } from '../../core/cutover/execution-look';
import { CutoverError } from '../../core/errors/errors';
import { formatSeconds } from '../../core/plan/explain';
import { findDirection } from '../../core/plan/direction';
import type { Plan } from '../../core/plan/plan';
import { findReplay } from '../../core/plan/replay-plan';
import { reversePlan } from '../../core/plan/reverse-plan';
import type { SwitchRecord } from '../../core/switch/switch-record';
import { LockHolder, describeHolder } from '../../core/traffic/lock';
import { Side, Weights, formatWeights, sameQuotas } from '../../core/traffic/weights';
import type { RollbackPorts } from '../../lambda/operator';
import { readWeights } from '../shared/weights-change';
import { describeGates, describeWay } from './describe';
import { Read, followExecution } from './follow';

/** One rollback by a person. */
export interface RollbackRequest {
  readonly stack: string;
  /** Its name, unless one is under way. */
  readonly execution: string;
  /** Who asks for it, as far as that is known. */
  readonly startedBy: () => Promise<string | undefined>;
  /** Asked with what it will do, line by line, before anything is started. */
  readonly agree: (what: readonly string[]) => Promise<boolean>;
  /** Receives one line for each step of it. */
  readonly report: (line: string) => void;
  /** Called right before it is started or followed. @throws CutoverError `Aborted` where the person has stopped it by then */
  readonly endInOrder: () => void;
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

/** What happened last is repeated after so long, so that a person sees that it goes on. */
const REPEAT_MS = 30_000;

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
    request.endInOrder();
    request.report(`a rollback is under way since ${lock.startedAt}: '${execution}'. Following it`);
    return { ...direction, isJoined: true, ...(await follow(execution, ports, request)) };
  }
  if (await isDone(weights, plan, ports, request)) return { ...direction, outcome: 'unchanged' };
  if (!(await request.agree(describeRollback(plan, weights, request)))) return { ...direction, outcome: 'declined' };
  const { execution } = request;
  const startedBy = await request.startedBy();
  request.endInOrder();
  await ports.executions.start(execution, { action: ROLLBACK_ACTION, ...(startedBy !== undefined && { startedBy }) });
  request.report(`started '${execution}'. It goes on also without this command`);
  return { ...direction, ...(await follow(execution, ports, request)) };
}

/** The lock of a rollback is no obstacle: it is the one that is asked for. */
async function checkHolder(lock: LockHolder, plan: Plan, { executions, describeHeld }: RollbackPorts): Promise<void> {
  const holder = `the lock must be free, got one ${describeHolder(lock)}`;
  const look = await executions.look(lock.execution);
  if (!look) throw new CutoverError('LockHeld', holder);
  const end = findEnd(look);
  if (end === undefined && isRollback(look, plan)) return;
  if (end === undefined) throw new CutoverError('LockHeld', `${holder}, a cutover that is under way: abort it instead`);
  throw new CutoverError('LockHeld', `the lock must be free, got one ${await describeHeld(lock)}`);
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

function describeRollback(plan: Plan, weights: Weights, { stack }: RollbackRequest): string[] {
  const { from, to } = findDirection(plan);
  const end = plan.stages.at(-1)!.weights;
  return [
    `Roll '${stack}' back: all traffic from the ${from} to the ${to}, from ${formatWeights(weights)} to ${formatWeights(end)} (source/target).`,
    ...describeWay(plan),
    describeWrites(plan, from),
    ...describeGates(plan),
  ];
}

function describeWrites({ switch: switching }: Plan, from: Side): string {
  if (switching?.pointOfNoReturn === 'shared')
    return `What the ${from} has written is kept: both sides have the same store.`;
  if (switching?.replay && findReplay(switching.replay, from === 'source' ? 'target' : 'source') !== undefined)
    return `What the ${from} has written is replayed on the other side, up to the last write, before it serves.`;
  if (switching) return `What the ${from} has written is LOST to the other side, as the plan accepts.`;
  return `What the ${from} has written stays with it. It is lost to the other side unless both share their data.`;
}

type Result = Pick<RollbackResult, 'execution' | 'outcome' | 'cause' | 'switches'>;

/** Until it has ended, or the person leaves. */
async function follow(execution: string, ports: RollbackPorts, request: RollbackRequest): Promise<Result> {
  const { now, report } = request;
  const startedMs = now();
  let said = { line: '', atMs: startedMs };
  const onRead = (read: Read) => {
    if ('look' in read && findEnd(read.look)) return;
    const line = 'problem' in read ? `not readable now: ${read.problem}` : describeLook(read.look);
    if (line === said.line && now() - said.atMs < REPEAT_MS) return;
    report(`${formatSeconds(Math.round((now() - startedMs) / 1000))}  ${line}`);
    said = { line, atMs: now() };
  };
  const { outcome, look } = await followExecution(execution, ports.executions, { ...request, onRead });
  const { run, cause } = look ?? {};
  return {
    execution,
    outcome,
    ...(cause !== undefined && { cause }),
    ...(run?.switches && { switches: run.switches }),
  };
}

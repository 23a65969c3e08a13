import { Command, InvalidArgumentError } from 'commander';
import {
  Decision,
  GATE_RULE,
  GateName,
  approvalKey,
  rejectionKey,
  buildStatement,
  findGate,
  isGateName,
} from '../../core/approval/approval';
import type { CutoverConfig } from '../../core/cutover/cutover-config';
import { findDirection } from '../../core/plan/direction';
import { findStageBehind } from '../../core/approval/approval';
import { formatWeights } from '../../core/traffic/weights';
import { findAskedGate } from '../../core/cutover/escalation';
import { ExecutionLook, findEnd } from '../../core/cutover/execution-look';
import type * as Operator from '../../lambda/operator';
import type { ApprovalPorts } from '../../lambda/operator';
import {
  ChangingFlags,
  EXIT,
  agreesTo,
  asJson,
  changingCommand,
  checkCanAsk,
  findCutover,
  printDeclined,
  runOperator,
  warn,
} from '../shared/operator-command';
import type { Stop } from '../shared/stop';
import { executionFrom, requireExecution } from './connect';
import { formatSnapshot } from './show';
import { formatError, showExecution } from './snapshot';

interface RespondFlags extends ChangingFlags {
  readonly execution?: string;
  readonly gate?: GateName;
}

/** A question of one execution. */
interface Asked {
  readonly execution: string;
  readonly gate: GateName;
  readonly look?: ExecutionLook | undefined;
}

/** Adds `approve`. */
export function addApproveCommand(cli: Command, done: (exitCode: number) => void): void {
  const description = 'approve a cutover that waits for a person, signed with your AWS identity';
  addResponse(cli.command('approve'), description, 'approve', done);
}

/** Adds `reject`. */
export function addRejectCommand(cli: Command, done: (exitCode: number) => void): void {
  const description = 'reject a cutover that waits for a person, signed with your AWS identity: it rolls back';
  addResponse(cli.command('reject'), description, 'reject', done);
}

function addResponse(
  command: Command,
  description: string,
  decision: Decision,
  done: (exitCode: number) => void,
): void {
  changingCommand(command, description)
    .option('--execution <name>', 'this cutover, instead of the one that is under way', executionFrom)
    .option('--gate <gate>', `instead of the one that it waits at: ${GATE_RULE}`, gateFrom)
    .action(async (flags: RespondFlags) =>
      done(await runOperator((stop) => respond(flags, decision, stop), 'nothing was written')),
    );
}

function gateFrom(text: string): GateName {
  if (isGateName(text)) return text;
  throw new InvalidArgumentError(`must be ${GATE_RULE}, got ${JSON.stringify(text)}`);
}

async function respond(flags: RespondFlags, decision: Decision, stop: Stop): Promise<number> {
  checkCanAsk(flags);
  const { aws, config } = await findCutover(flags);
  const asked = await findAsked(aws, config, flags);
  const { execution, gate } = asked;
  if (!(await agreesTo(describeResponse(asked, decision), `${titles[decision]} it?`, flags, stop.signal))) {
    printDeclined(flags, `nothing was written: '${execution}' goes on waiting`, execution);
    return EXIT.refused;
  }
  const ports = await aws.approvalPorts(config);
  const statement = await ports.sign(buildStatement({ decision, gate, execution }, ports.storeBucket));
  const by = await whoSigned(ports, statement);
  const key = approvalKey(execution, gate);
  stop.endInOrder();
  const response = { decision, at: new Date().toISOString(), statement };
  // First where no approval takes its place. A deployment of an older version looks at the other key alone.
  if (decision === 'reject') await ports.putResponse(rejectionKey(execution, gate), response);
  await ports.putResponse(key, response);
  if (flags.json) process.stdout.write(asJson({ stack: flags.stack, execution, gate, decision, by: by ?? null, key }));
  else process.stdout.write(`${formatSaying(asked, decision, by)}\n`);
  return EXIT.done;
}

/** A response that nothing waits for would be written, and never count. */
async function findAsked(aws: typeof Operator, config: CutoverConfig, flags: RespondFlags): Promise<Asked> {
  const { execution: named, gate, stack } = flags;
  const ports = aws.cutoverPorts(config, warn);
  if (named !== undefined && gate !== undefined && !ports) return { execution: named, gate };
  if (!ports) throw new Error(`'--execution' and '--gate' must be given, because '${stack}' names no state machine`);
  const execution = await requireExecution(ports, named, stack);
  try {
    const look = await ports.executions.look(execution);
    return { execution, gate: requireGate(execution, look, gate), look };
  } catch (error) {
    if (gate === undefined || !isUnreadable(error as Error)) throw error;
    warn(`what it waits for cannot be read: ${formatError(error)}; the response counts if it waits at '${gate}'`);
    return { execution, gate };
  }
}

/** Step Functions is away, or the caller may respond and not look. */
function isUnreadable({ name }: Error): boolean {
  return /^(AwsUnavailable|AccessDenied(Exception)?)$/.test(name);
}

function findWaiting(look: ExecutionLook): GateName | undefined {
  const isOver = findEnd(look) !== undefined || look.run?.verdict === 'rollBack';
  const { state, run } = look;
  if (isOver || run === undefined) return undefined;
  return run.approval?.gate ?? (state === undefined ? undefined : findAskedGate(state, run));
}

/** @throws Error where it waits at no gate, or at another one than that which was named */
function requireGate(execution: string, look: ExecutionLook | undefined, named: GateName | undefined): GateName {
  const waitsAt = look && findWaiting(look);
  if (waitsAt !== undefined && (named ?? waitsAt) === waitsAt) return waitsAt;
  const rule = `'${execution}' must wait for an approval${named === undefined ? '' : ` at '${named}'`}`;
  if (!look) throw new Error(`${rule}, got one that Step Functions does not know`);
  const outcome = findEnd(look);
  if (outcome) throw new Error(`${rule}, got one that has ended: ${outcome}`);
  throw new Error(
    `${rule}, got ${waitsAt === undefined ? (look.state ?? look.status) : `one that waits at '${waitsAt}'`}`,
  );
}

const titles: Readonly<Record<Decision, string>> = { approve: 'Approve', reject: 'Reject' };

function describeResponse({ execution, gate, look }: Asked, decision: Decision): string[] {
  const nowMs = Date.now();
  const { run } = look ?? {};
  const lines = [`${titles[decision]} '${gate}' of '${execution}', signed as who you are at AWS.`];
  if (!look || !run) return lines;
  const { plan, initial, escalation } = run;
  const place = findGate(gate);
  const next = place === 'judge' ? undefined : plan.stages[findStageBehind(place, plan.stages.length)];
  const goesOn = next ? `next come the weights ${formatWeights(next.weights)} (source/target)` : 'it goes on';
  const { from } = findDirection(plan);
  const rollsBack = `it rolls back to ${formatWeights(plan.initialWeights)}, and all traffic is on the ${from}`;
  const ends = initial ? rollsBack : 'it ends, and nothing has moved';
  const at = new Date(nowMs).toISOString();
  const seen = { at, unknown: [], execution: showExecution(execution, look, nowMs) };
  return [
    ...lines,
    `Then ${decision === 'approve' ? goesOn : ends}.`,
    ...(escalation ? [`The judge asks: ${escalation.failure.message.split('\n')[0]}`] : []),
    ...formatSnapshot(seen).filter((line) => /^(source|target|judge|missing|next)\b/.test(line)),
  ];
}

/**
 * As the cutover will ask, before anything is written: what STS rejects would count for nothing, and be seen minutes later.
 *
 * @returns undefined when STS cannot be asked from here; the cutover asks by itself
 * @throws Error when STS rejects it
 */
async function whoSigned(
  { identity }: ApprovalPorts,
  statement: Awaited<ReturnType<ApprovalPorts['sign']>>,
): Promise<string | undefined> {
  try {
    return await identity.findSigner(statement);
  } catch (error) {
    // Of another bundle, which has a class of its own.
    const { name, message } = error as Error;
    if (name !== 'AwsUnavailable') throw error;
    warn(`${message}; the response is written all the same, and the cutover asks STS itself`);
    return undefined;
  }
}

function formatSaying({ execution, gate }: Asked, decision: Decision, by: string | undefined): string {
  const done = { approve: 'approved', reject: 'rejected' }[decision];
  return `${done} '${gate}' of '${execution}' as ${by ?? 'its signer'}: it counts at the next poll of the cutover, if it asks for it`;
}

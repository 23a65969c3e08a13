import { Command, InvalidArgumentError } from 'commander';
import { ApprovalGate, GATE_RULE, approvalKey, buildStatement, isGate } from '../core/approval/approval';
import type { ApprovalPorts } from '../lambda/operator';
import { EXIT, OperatorFlags, asJson, findCutover, operatorCommand, runOperator, warn } from './operator-command';

interface ApproveFlags extends OperatorFlags {
  readonly execution: string;
  readonly gate: ApprovalGate;
  readonly reject: boolean;
}

/** Adds `approve`. */
export function addApproveCommand(cli: Command, done: (exitCode: number) => void): void {
  operatorCommand(
    cli.command('approve'),
    'approve or reject a cutover that waits for your approval, signed with your AWS identity',
  )
    .requiredOption('--execution <name>', 'the name of the execution, as the message has it', executionFrom)
    .requiredOption('--gate <gate>', `what it waits at: ${GATE_RULE}`, gateFrom)
    .option('--reject', 'say no', false)
    .action(async (flags: ApproveFlags) => done(await runOperator(() => approve(flags))));
}

/** It becomes a part of a key. */
function executionFrom(text: string): string {
  if (/^[^\s/\p{C}]{1,80}$/u.test(text)) return text;
  throw new InvalidArgumentError(`must be 1 to 80 characters without '/' and spaces, got ${JSON.stringify(text)}`);
}

function gateFrom(text: string): ApprovalGate {
  if (isGate(text)) return text;
  throw new InvalidArgumentError(`must be ${GATE_RULE}, got ${JSON.stringify(text)}`);
}

async function approve(flags: ApproveFlags): Promise<number> {
  const { execution, gate } = flags;
  const { aws, config } = await findCutover(flags);
  const ports = await aws.approvalPorts(config);
  const decision = flags.reject ? 'reject' : 'approve';
  const statement = await ports.sign(buildStatement({ decision, gate, execution }, ports.storeBucket));
  const by = await whoSigned(ports, statement);
  const key = approvalKey(execution, gate);
  await ports.putResponse(key, { decision, at: new Date().toISOString(), statement });
  if (flags.json) process.stdout.write(asJson({ stack: flags.stack, execution, gate, decision, by: by ?? null, key }));
  else process.stdout.write(`${formatSaying(flags, by)}\n`);
  return EXIT.done;
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
    warn(`${message}; the approval is written all the same, and the cutover asks STS itself`);
    return undefined;
  }
}

function formatSaying({ execution, gate, reject }: ApproveFlags, by: string | undefined): string {
  const done = reject ? 'rejected' : 'approved';
  return `${done} '${gate}' of '${execution}' as ${by ?? 'its signer'}: it counts at the next poll of the cutover, if it asks for it`;
}

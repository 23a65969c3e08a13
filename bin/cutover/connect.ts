import { InvalidArgumentError } from 'commander';
import type { CutoverConfig } from '../../core/cutover/cutover-config';
import type * as Operator from '../../lambda/operator';
import type { CutoverPorts } from '../../lambda/operator';
import { OperatorFlags, findCutover, warn } from '../shared/operator-command';

/** A deployed cutover, and what a person's command may do to it. */
export interface Connected {
  readonly aws: typeof Operator;
  readonly ports: CutoverPorts;
  readonly config: CutoverConfig;
}

/** @throws Error for a stack that was deployed before its output named the state machine */
export async function connectCutover(flags: OperatorFlags): Promise<Connected> {
  const { aws, config } = await findCutover(flags);
  const ports = aws.cutoverPorts(config, warn);
  if (ports) return { aws, ports, config };
  throw new Error(`'${flags.stack}' must name its state machine, got a stack of an older version: deploy it again`);
}

/** @see https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html (name) */
const EXECUTION = /^[^\s/:;,<>{}[\]?*"#%\\^|~`$&\p{C}]{1,80}$/u;

/** The name of an execution, which becomes a part of a key. An ARN may be of another stack, and the name in it mean another cutover. */
export function executionFrom(text: string): string {
  if (EXECUTION.test(text)) return text;
  const [, name] = /^arn:[^:]*:states:.*:execution:[^:]+:([^:]+)$/.exec(text) ?? [];
  if (name !== undefined) throw new InvalidArgumentError(`must be the name of an execution, '${name}', got its ARN`);
  throw new InvalidArgumentError(`must be 1 to 80 characters without '/', ':' and spaces, got ${JSON.stringify(text)}`);
}

/** The cutover that is under way: that which holds the lock, or the newest that runs and has not taken it yet. */
export async function findUnderWay({
  lock,
  executions,
}: Pick<CutoverPorts, 'lock' | 'executions'>): Promise<string | undefined> {
  const held = await lock.heldByAnother('');
  // The lock of a person or a deployment ends by itself.
  if (held && held.expiresAt === undefined) return held.execution;
  const [newest] = await executions.list(1, 'RUNNING');
  return newest?.name;
}

/** @throws Error where none is given, and none is under way */
export async function requireExecution(ports: CutoverPorts, given: string | undefined, stack: string): Promise<string> {
  const name = given ?? (await findUnderWay(ports));
  if (name !== undefined) return name;
  throw new Error(
    `'${stack}' must have a cutover under way, got none: 'drainshift history' lists those that have ended`,
  );
}

/** For a new execution of a person's command. */
export function newExecution(prefix: string): string {
  return `${prefix}-${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${process.pid}`;
}

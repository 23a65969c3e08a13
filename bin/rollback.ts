import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'commander';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { printable } from '../core/text/one-line';
import {
  OperatorFlags,
  WrongUse,
  agrees,
  asJson,
  findCutover,
  operatorCommand,
  runOperator,
  warn,
} from './operator-command';
import { RollbackResult, rollBackCutover } from './rollback-run';

interface RollbackFlags extends OperatorFlags {
  readonly yes: boolean;
}

/** Adds `rollback`. */
export function addRollbackCommand(cli: Command, done: (exitCode: number) => void): void {
  operatorCommand(
    cli.command('rollback'),
    'roll a completed cutover back: the deployed plan in the other direction, followed to its end',
    [EXITS.rolledBack, EXITS.refused, EXITS.failed].map(({ code, meaning }) => `${code} ${meaning}`),
  )
    .option('--yes', 'do not ask', false)
    .action(async (flags: RollbackFlags) => done(await runOperator((signal) => rollBack(flags, signal))));
}

async function rollBack(flags: RollbackFlags, signal: AbortSignal): Promise<number> {
  const { stack, yes, json } = flags;
  if (!yes && !process.stdin.isTTY)
    throw new WrongUse("'--yes' must be given where no operator can be asked, got none");
  const { aws, config } = await findCutover(flags);
  const ports = aws.rollbackPorts(config, warn);
  if (!ports)
    throw new Error(`'${stack}' must name its state machine, got a stack of an older version: deploy it again`);
  const execution = `rollback-${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${process.pid}`;
  const result = await rollBackCutover(ports, {
    stack,
    execution,
    agree: async (prompt) => {
      if (!yes) return agrees(prompt, signal);
      report(prompt.replace(/\n[^\n]*$/, ''));
      return true;
    },
    report,
    signal,
    now: () => Date.now(),
    pause: (ms) => pause(ms, undefined, { signal }).catch(() => undefined),
  });
  if (json) process.stdout.write(asJson({ stack, ...result }));
  else process.stdout.write(`${printable(SAYING[result.outcome](result))}\n`);
  if (result.outcome === 'unfollowed') warn(leaveNote(result, config.storeBucket));
  return EXITS[result.outcome].code;
}

/** On the error stream: what is printed stays clean for a program to read. */
function report(line: string): void {
  process.stderr.write(`${printable(line)}\n`);
}

const EXITS = {
  completed: { code: EXIT_CODES.done.code, meaning: 'done' },
  unchanged: { code: EXIT_CODES.done.code, meaning: 'there was nothing to roll back' },
  declined: { code: EXIT_CODES.failed.code, meaning: 'you said no' },
  unfollowed: { code: EXIT_CODES.failed.code, meaning: 'it goes on' },
  rolledBack: { code: EXIT_CODES.rolledBack.code, meaning: 'it failed, and the traffic is where it was' },
  refused: { code: EXIT_CODES.refused.code, meaning: 'rejected before it changed anything' },
  failed: { code: EXIT_CODES.stuck.code, meaning: 'a person has to decide' },
} as const satisfies Record<RollbackResult['outcome'], { readonly code: number; readonly meaning: string }>;

type Say = (result: RollbackResult) => string;

const withCause = ({ cause }: RollbackResult) => (cause === undefined ? '' : `: ${cause}`);

const SAYING: Readonly<Record<RollbackResult['outcome'], Say>> = {
  completed: ({ execution, from, to }) =>
    `completed '${execution}': all traffic is on the ${to}, and the ${from} is drained`,
  unchanged: ({ to }) => `all traffic is on the ${to} already: nothing was changed`,
  declined: ({ from }) => `nothing was changed: the traffic is on the ${from}`,
  unfollowed: ({ execution }) => `'${execution}' goes on`,
  rolledBack: (result) =>
    `'${result.execution}' failed, and the traffic is on the ${result.from} as before${withCause(result)}`,
  refused: (result) => `'${result.execution}' was rejected, and nothing was moved${withCause(result)}`,
  failed: (result) => `'${result.execution}' FAILED: look at the weights now${withCause(result)}`,
};

function leaveNote({ execution }: RollbackResult, bucket: string): string {
  const abort = `aws s3api put-object --bucket ${bucket} --key abort/${execution}.json`;
  return `not followed any more. Run the same command to follow it again, or stop it: ${abort}`;
}

import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'commander';
import { EXIT_CODES } from '../../core/errors/exit-codes';
import { printable } from '../../core/text/one-line';
import { END_EXITS, END_HELP } from '../shared/exits';
import {
  ChangingFlags,
  agreesTo,
  asJson,
  changingCommand,
  checkCanAsk,
  report,
  runOperator,
  warn,
} from '../shared/operator-command';
import type { Stop } from '../shared/stop';
import { connectCutover, newExecution } from './connect';
import { RollbackResult, rollBackCutover } from './rollback-run';

/** Adds `rollback`. */
export function addRollbackCommand(cli: Command, done: (exitCode: number) => void): void {
  changingCommand(
    cli.command('rollback'),
    'roll a completed cutover back: the deployed plan in the other direction, followed to its end',
    END_HELP,
  ).action(async (flags: ChangingFlags) =>
    done(await runOperator((stop) => rollBack(flags, stop), 'nothing was started')),
  );
}

async function rollBack(flags: ChangingFlags, { signal, endInOrder }: Stop): Promise<number> {
  const { stack, json } = flags;
  checkCanAsk(flags);
  const { ports } = await connectCutover(flags);
  const result = await rollBackCutover(ports, {
    stack,
    execution: newExecution('rollback'),
    startedBy: ports.whoAmI,
    agree: (what) => agreesTo(what, 'Start it?', flags, signal),
    report,
    endInOrder,
    signal,
    now: () => Date.now(),
    pause: (ms) => pause(ms, undefined, { signal }).catch(() => undefined),
  });
  if (json) process.stdout.write(asJson({ stack, ...result }));
  else process.stdout.write(`${printable(SAYING[result.outcome](result))}\n`);
  if (result.outcome === 'unfollowed') warn(leaveNote(result, stack));
  return EXITS[result.outcome];
}

const EXITS: Readonly<Record<RollbackResult['outcome'], number>> = {
  completed: END_EXITS.completed.code,
  rolledBack: END_EXITS.rolledBack.code,
  refused: END_EXITS.refused.code,
  failed: END_EXITS.failed.code,
  unchanged: EXIT_CODES.done.code,
  declined: EXIT_CODES.failed.code,
  unfollowed: EXIT_CODES.failed.code,
};

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

function leaveNote({ execution }: RollbackResult, stack: string): string {
  const abort = `drainshift abort --stack ${stack} --execution ${execution}`;
  return `not followed any more. Run the same command to follow it again, or stop it: ${abort}`;
}

import { Command } from 'commander';
import { findEnd } from '../../core/cutover/execution-look';
import { findDirection } from '../../core/plan/direction';
import { formatWeights } from '../../core/traffic/weights';
import { shellWord } from '../../core/text/shell-word';
import { describeWatch } from './describe';
import {
  ChangingFlags,
  EXIT,
  agreesTo,
  asJson,
  changingCommand,
  checkCanAsk,
  printDeclined,
  runOperator,
  warn,
} from '../shared/operator-command';
import type { Stop } from '../shared/stop';
import { Connected, connectCutover, executionFrom, requireExecution } from './connect';
import { formatError } from './snapshot';

interface AbortFlags extends ChangingFlags {
  readonly execution?: string;
}

/** Adds `abort`. */
export function addAbortCommand(cli: Command, done: (exitCode: number) => void): void {
  changingCommand(
    cli.command('abort'),
    'ask a cutover to stop: it rolls back by itself, the side that is left first, then the weights',
  )
    .option('--execution <name>', 'this cutover, instead of the one that is under way', executionFrom)
    .action(async (flags: AbortFlags) => done(await runOperator((stop) => abort(flags, stop))));
}

async function abort(flags: AbortFlags, stop: Stop): Promise<number> {
  checkCanAsk(flags);
  const { ports } = await connectCutover(flags);
  const { stack } = flags;
  const execution = await requireExecution(ports, flags.execution, stack);
  const what = await describeAbort(ports, execution, stack);
  if (!(await agreesTo(what, 'Stop it?', flags, stop.signal))) {
    printDeclined(flags, `nothing was changed: '${execution}' goes on`, execution);
    return EXIT.refused;
  }
  const by = await ports.whoAmI();
  stop.endInOrder();
  await ports.store.requestAbort(execution, { at: new Date().toISOString(), ...(by !== undefined && { by }) });
  if (flags.json) process.stdout.write(asJson({ stack, execution, by: by ?? null }));
  else
    process.stdout.write(
      `asked '${execution}' to stop: it rolls back at its next poll. ${describeWatch(stack, execution)}\n`,
    );
  return EXIT.done;
}

/** No step looks for the marker any more, and the safe side is the other one. */
function describeVerified(execution: string, stack: string): string {
  const rule = `'${execution}' must not have passed Verify to be stopped, got one that has: it completes`;
  return `${rule}. Roll it back afterwards: drainshift rollback --stack ${shellWord(stack)}`;
}

/**
 * A marker in the store, and no end of the execution: steps look for it, and roll back in order. Step Functions need not
 * respond for that.
 *
 * @throws Error for one that has ended: a marker would wait for the next one of its name
 */
async function describeAbort(
  { executions, lock, describeHeld }: Connected['ports'],
  execution: string,
  stack: string,
): Promise<string[]> {
  const line = `Stop '${execution}' of '${stack}'`;
  try {
    const look = await executions.look(execution);
    if (!look) throw new Error(`'--execution' must be a cutover of '${stack}', got '${execution}'`);
    const outcome = findEnd(look);
    if (outcome) {
      const held = await lock.heldByAnother('');
      const kept = held?.execution === execution ? `. The lock is ${await describeHeld(held)}` : '';
      const rule = `'${execution}' must be under way to be stopped, got one that has ended: ${outcome}`;
      throw new Error(`${rule}${kept}`);
    }
    const { run } = look;
    if (run?.isVerified) throw new Error(describeVerified(execution, stack));
    if (!run) return [`${line}: it rolls back, or ends where nothing has moved.`];
    if (run.verdict === 'rollBack') return [`${line}: it rolls back already.`];
    const { from } = findDirection(run.plan);
    const initial = formatWeights(run.plan.initialWeights);
    const way = `the proxies of the ${from} serve again, and the weights roll back to ${initial} (source/target)`;
    return [run.initial ? `${line}: ${way}.` : `${line}: nothing has moved yet, and it ends.`];
  } catch (error) {
    if ((error as Error).name !== 'AwsUnavailable') throw error;
    warn(`${formatError(error)}; it is asked to stop all the same`);
    return [`${line}: it rolls back at its next poll.`];
  }
}

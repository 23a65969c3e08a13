import { Command } from 'commander';
import { EXIT, OperatorFlags, asJson, operatorCommand, runOperator } from '../shared/operator-command';
import { Connected, connectCutover, executionFrom, findUnderWay } from './connect';
import { formatSnapshot } from './show';
import { ShownExecution, Snapshot, formatError, readInForce, showExecution } from './snapshot';

interface StatusFlags extends OperatorFlags {
  readonly execution?: string;
}

/** Adds `status`. */
export function addStatusCommand(cli: Command, done: (exitCode: number) => void): void {
  operatorCommand(
    cli.command('status'),
    'print the weights in force, who holds the lock, and where the cutover is that is under way',
  )
    .option('--execution <name>', 'of this cutover, instead of the one that is under way', executionFrom)
    .action(async (flags: StatusFlags) => done(await runOperator(() => printStatus(flags))));
}

async function printStatus(flags: StatusFlags): Promise<number> {
  const { ports } = await connectCutover(flags);
  const snapshot = await lookOnce(ports, flags.execution);
  process.stdout.write(
    flags.json ? asJson({ stack: flags.stack, ...snapshot }) : `${formatSnapshot(snapshot).join('\n')}\n`,
  );
  return snapshot.unknown.length > 0 ? EXIT.refused : EXIT.done;
}

/** What cannot be read is no reason to say nothing of the rest. */
async function lookOnce(ports: Connected['ports'], given: string | undefined): Promise<Snapshot> {
  const [inForce, execution] = await Promise.all([readInForce(ports), lookAtExecution(ports, given)]);
  const at = new Date().toISOString();
  if ('problem' in execution) {
    return { at, ...inForce, unknown: [...inForce.unknown, `the cutover: ${execution.problem}`] };
  }
  return { at, ...inForce, execution: execution.shown };
}

async function lookAtExecution(
  ports: Connected['ports'],
  given: string | undefined,
): Promise<{ readonly shown: ShownExecution | null } | { readonly problem: string }> {
  try {
    const name = given ?? (await findUnderWay(ports));
    if (name === undefined) return { shown: null };
    const look = await ports.executions.look(name);
    if (!look) return { problem: `Step Functions does not know '${name}'` };
    return { shown: showExecution(name, look, Date.now()) };
  } catch (error) {
    return { problem: formatError(error) };
  }
}

import { EXIT_CODES } from '../../core/errors/exit-codes';
import { UsageError } from '../../rehearsal/errors/usage-error';

/**
 * Runs a command to its end, with its exit code. Clients that were given up may go on connecting for ever, so the process
 * ends; what was printed is written out before, which a pipe may still hold.
 */
export async function runMain(main: () => number | Promise<number>): Promise<void> {
  let exitCode: number;
  try {
    exitCode = await main();
  } catch (error) {
    const isWrongUse = error instanceof UsageError || hasUnknownOption(error);
    const { message, stack } = error as Error;
    process.stderr.write(isWrongUse ? `${message.split('\n')[0]}; see --help\n` : `${String(stack)}\n`);
    exitCode = (isWrongUse ? EXIT_CODES.wrongUse : EXIT_CODES.failed).code;
  }
  process.stdout.write('', () => process.exit(exitCode));
}

/** What `parseArgs` of `node:util` throws. */
function hasUnknownOption(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') === true;
}

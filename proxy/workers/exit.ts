import type { Logger } from 'pino';
import { EXIT_CODES } from '../../core/errors/exit-codes';

export const FAILED = EXIT_CODES.failed.code;

/** For a reader of the log that stands still. */
const MAX_FLUSH_MS = 1_000;

/** What was logged last is the most worth keeping: the log is written out before the process ends. */
export function endAfterLog(log: Logger, code: number): void {
  const exit = () => process.exit(code);
  setTimeout(exit, MAX_FLUSH_MS);
  log.flush(exit);
}

/** The end of a process whose state is unknown. */
export function crash(log: Logger, error: unknown): void {
  log.fatal({ err: error }, 'Unexpected error');
  process.exit(FAILED);
}

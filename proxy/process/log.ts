import pino, { type Logger, type LoggerOptions } from 'pino';

/** What may wait for the reader of the log. Lines beyond are dropped: the memory is for connections. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** A log on standard output, written beside the traffic: no request waits for its reader. */
export function createLog(options: Pick<LoggerOptions, 'level' | 'base'>): Logger {
  // Below 1 a flush waits for nothing.
  const to = { dest: process.stdout.fd, sync: false, minLength: 1, maxLength: MAX_WAITING_BYTES };
  const stream = pino.destination(to);
  const log = pino(options, stream);
  let dropped = 0;
  stream.on('drop', () => (dropped += 1));
  stream.on('drain', () => {
    if (dropped === 0) return;
    const lines = dropped;
    dropped = 0;
    log.warn({ lines }, 'Lines of the log were dropped: its reader was too slow');
  });
  return log;
}

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/**
 * What a process prints first, by which it says that it is ready.
 *
 * @param child with pipes for its output and its errors
 * @throws Error with its errors, at once, when it ends before that
 */
export async function firstLine(child: ChildProcess): Promise<string> {
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new Error('the process must have pipes for its output and its errors');
  let problem = '';
  stderr.on('data', (bytes: Buffer) => (problem += bytes.toString()));
  const ended = once(child, 'close').then(([code]) => {
    throw new Error(`the process must print a line, got exit code ${code} and: ${problem}`);
  });
  // It ends at some time, and that is no failure once the line is there.
  ended.catch(() => undefined);
  const [line] = (await Promise.race([once(createInterface(stdout), 'line'), ended])) as [string];
  return line;
}

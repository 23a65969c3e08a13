import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../errors/usage-error';

/**
 * How an application is started: by the `start` script of its `package.json`, without a shell.
 *
 * @throws UsageError
 */
export function readStartCommand(folder: string): string[] {
  let start: unknown;
  try {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      scripts?: { start?: unknown };
    };
    start = manifest.scripts?.start;
  } catch (error) {
    throw new UsageError(`'${folder}' must have a package.json, got ${(error as Error).message}`);
  }
  const command = typeof start === 'string' ? start.split(/\s+/).filter((word) => word !== '') : [];
  if (command.length === 0 || command.some((word) => !/^[\w@./:=,+-]+$/.test(word))) {
    throw new UsageError(
      `the 'start' script of '${folder}' must be a command of words without quotes and operators, got ${JSON.stringify(start)}`,
    );
  }
  return command;
}

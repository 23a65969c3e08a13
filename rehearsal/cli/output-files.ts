import { open, rm, writeFile } from 'node:fs/promises';
import { UsageError } from '../errors/usage-error';

/**
 * Whether a file can be written, before the work whose result it is to hold.
 *
 * @param option `--json`, for the message
 * @throws UsageError
 */
export async function checkWritable(option: string, file: string): Promise<void> {
  try {
    await (await open(file, 'ax')).close();
    await rm(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unwritable(option, file, error);
    await tryToAppend(option, file);
  }
}

async function tryToAppend(option: string, file: string): Promise<void> {
  try {
    await (await open(file, 'a')).close();
  } catch (error) {
    throw unwritable(option, file, error);
  }
}

/** @throws UsageError */
export async function writeOutput(option: string, file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (error) {
    throw unwritable(option, file, error);
  }
}

function unwritable(option: string, file: string, error: unknown): UsageError {
  const { code } = error as NodeJS.ErrnoException;
  return new UsageError(`'${option}' must be a file that can be written, got '${file}' (${code})`);
}

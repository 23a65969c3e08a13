import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';

/** Before work whose result goes there. @throws Error that names the flag, its rule and its value */
export function checkOutput(flag: string, path: string | undefined): void {
  if (path === undefined) return;
  try {
    if (existsSync(path)) accessSync(path, constants.W_OK);
    else accessSync(dirname(path), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw nameOutput(flag, path, error);
  }
}

/** What a file says that cannot be written. */
export function nameOutput(flag: string, path: string, error: unknown): Error {
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  return new Error(`'${flag}' must be writable, got '${path}' (${code})`, { cause: error });
}

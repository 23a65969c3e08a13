import { createRequire } from 'node:module';

/**
 * Packages that only some tests need. Without them those tests are skipped, and say so.
 *
 * @param load loads them; its types are the tests' own, since the packages may not be there
 */
export function ifInstalled<T extends object>(
  load: (from: NodeJS.Require) => T,
): T & { readonly testInstalled: typeof test } {
  try {
    return { ...load(createRequire(__filename)), testInstalled: test };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    process.stderr.write(`SKIPPED, run npm ci: ${(error as Error).message.split('\n')[0]}\n`);
    return { testInstalled: test.skip } as T & { readonly testInstalled: typeof test };
  }
}

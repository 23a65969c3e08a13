import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

interface Lock {
  readonly packages: Record<string, { readonly optionalDependencies?: Record<string, string> }>;
}

const lock = JSON.parse(readFileSync(resolve(__dirname, '../../package-lock.json'), 'utf8')) as Lock;

/**
 * `npm ci` of npm 11 refused the lockfile: packages with a binary for each platform named optional dependencies that
 * had no entry, because they could not be had where the lockfile was written.
 */
test('every optional dependency that a locked package names is locked too', () => {
  const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter(
        (name) => !(`node_modules/${name}` in lock.packages) && !(join(path, 'node_modules', name) in lock.packages),
      )
      .map((name) => `${path}: ${name}`),
  );
  expect(missing).toEqual([]);
});

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

interface Lock {
  readonly packages: Record<string, { readonly optionalDependencies?: Record<string, string> }>;
}

const lock = JSON.parse(readFileSync(resolve(__dirname, '../../package-lock.json'), 'utf8')) as Lock;

/** Where a package of this name may be for the package at `path`: below it, or below any folder above it. */
function places(path: string, name: string): string[] {
  const owners = path.split('node_modules/');
  return owners.map((_, index) =>
    `${owners
      .slice(0, index + 1)
      .join('node_modules/')
      .replace(/\/?$/, '/')}node_modules/${name}`.replace(/^\//, ''),
  );
}

/**
 * `npm ci` of npm 11 rejected the lockfile: packages with a binary for each platform named optional dependencies that
 * had no entry, because they could not be had where the lockfile was written.
 */
test('every optional dependency that a locked package names is locked too', () => {
  const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !places(path, name).some((place) => place in lock.packages))
      .map((name) => `${path}: ${name}`),
  );
  expect(missing).toEqual([]);
});

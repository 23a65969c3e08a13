import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve, sep } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

const require = createRequire(import.meta.url);

/** The file that `require(name)` would load; undefined when the package is not installed. */
export function resolvePackage(name: string): string | undefined {
  try {
    return require.resolve(name);
  } catch {
    return undefined;
  }
}

export function readVersion(name: string): string | undefined {
  const file = resolvePackage(name);
  if (file === undefined) return undefined;
  const inside = join('node_modules', ...name.split('/')) + sep;
  const root = file.slice(0, file.lastIndexOf(inside) + inside.length);
  return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
}

import { readFileSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';

/** Of the checkout. These files run compiled, in `dist/bench/`; tests load some as they are. */
export const ROOT = resolve(__dirname, __filename.endsWith('.ts') ? '../..' : '../../..');

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

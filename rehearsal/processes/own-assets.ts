import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** `dist/assets`, whether this file runs compiled or as TypeScript in a test. */
export function ownAssets(): string {
  const built = join(__dirname, '..', '..', 'assets');
  return existsSync(built) ? built : join(__dirname, '..', '..', 'dist', 'assets');
}

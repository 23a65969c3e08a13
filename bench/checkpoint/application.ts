import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { UsageError } from '../../rehearsal/errors/usage-error';
import { APPLICATION_PORT } from '../../rehearsal/hosts/host-options';
import { ROOT } from '../processes/resolve';

export const KINDS = ['node', 'python'] as const;
export type Kind = (typeof KINDS)[number];

/** What an application says of its memory. */
export interface ApplicationState {
  readonly count: number;
  readonly sessions: Readonly<Record<string, number>>;
}

/** The command of a web application that counts in its memory, and has so much of it. */
export function findApplication(kind: Kind, megabytes: number): string[] {
  const folder = join(ROOT, 'bench/checkpoint/applications');
  const more = [`${APPLICATION_PORT}`, `${megabytes}`];
  if (kind === 'node') return [process.execPath, join(folder, 'node.mjs'), ...more];
  // The interpreter itself: a shim of a version manager would be another process.
  const asked = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' });
  if (asked.status !== 0) throw new UsageError("'python3' must be installed, got none; --kind node needs none");
  return [asked.stdout.trim(), join(folder, 'python.py'), ...more];
}

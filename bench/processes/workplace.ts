import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Children, pinSelf } from './children';
import { placement, type Placement } from './machine';

/** Where one run happens: a directory and processes that end with it. */
export interface Workplace {
  readonly directory: string;
  readonly children: Children;
  readonly placement: Placement;
}

/** Runs `work`; its processes and files are gone afterwards, also on a failure, Ctrl-C or SIGTERM. */
export async function withWorkplace<T>(work: (place: Workplace) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'drainshift-bench-'));
  const children = new Children(directory);
  const clean = () => {
    children.killAllNow();
    rmSync(directory, { recursive: true, force: true });
  };
  const stop = (signal: NodeJS.Signals) => process.exit(signal === 'SIGINT' ? 130 : 143);
  process.once('exit', clean);
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const place = { directory, children, placement: placement() };
  pinSelf(place.placement.loadCores);
  try {
    return await work(place);
  } finally {
    await children.killAll();
    clean();
    process.off('exit', clean);
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

/**
 * Ends what its parent has started and removes its folder, when the parent is gone in a way that leaves it no time to
 * clean up (SIGKILL, a crash, a second Ctrl-C). It is told the process ids as they come and go, and does nothing while the
 * parent lives.
 */
import { rmSync } from 'node:fs';
import { isProcess } from '../../core/errors/signals';

export type ReaperOrder = { readonly add: number } | { readonly remove: number };

const [folder] = process.argv.slice(2);
const pids = new Set<number>();

process.on('SIGINT', () => undefined);
process.on('message', (order: ReaperOrder) => {
  if ('add' in order) pids.add(order.add);
  else pids.delete(order.remove);
});
process.on('disconnect', () => {
  for (const pid of pids) {
    if (!isProcess(pid)) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone already.
    }
  }
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  process.exit(0);
});

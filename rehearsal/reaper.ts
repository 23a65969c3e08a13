/**
 * Ends what its parent has started, when the parent is gone in a way that leaves it no time to clean up (SIGKILL, a
 * crash). It is told the process ids as they come and go, and does nothing while the parent lives.
 */
const pids = new Set<number>();

process.on('SIGINT', () => undefined);
process.on('message', ({ add, remove }: { add?: number; remove?: number }) => {
  if (add !== undefined) pids.add(add);
  if (remove !== undefined) pids.delete(remove);
});
process.on('disconnect', () => {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone already.
    }
  }
  process.exit(0);
});

import { findMissing } from '../../../rehearsal/kafka/broker';

/** Whether a test with a real broker can run here. Without one it is skipped, and says so. */
export function hasBroker(who: string): boolean {
  const missing = findMissing();
  if (missing !== undefined) process.stderr.write(`SKIPPED: ${who}, ${missing}\n`);
  return missing === undefined;
}

import { totalmem } from 'node:os';

/** The other half is for the program, for what it has thrown away and not collected yet, and for the kernel's buffers. */
const SHARE = 0.5;

/**
 * What the connections of all processes may hold, in bytes.
 *
 * @param configured 0 or nothing: half of what the container has, or the machine
 */
export function memoryBudget(configured = 0): number {
  if (configured > 0) return configured;
  // Without a limit of the container it is a number beyond all machines, or 0.
  const constrained = process.constrainedMemory() || Infinity;
  return Math.floor(SHARE * Math.min(constrained, totalmem()));
}

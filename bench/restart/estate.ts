import { readdirSync, readFileSync } from 'node:fs';
import { isProcess } from '../../core/errors/signals';
import { listProcessTree } from '../processes/proc';
import type { Workplace } from '../processes/workplace';

/** In the environment of what a peer starts: a process whose parent has ended belongs to it, too. */
export const MARK = 'DRAINSHIFT_BENCH_MARK';

/** All processes of a peer: those below `root`, and those that were started with its mark. */
export function listProcesses(root: number, mark: string): number[] {
  const marked = readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && hasMark(pid, mark));
  return [...new Set([root, ...marked].filter(isAlive).flatMap(listProcessTree))];
}

export function isAlive(pid: number): boolean {
  try {
    // One that has ended and was not waited for is none.
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    if (isProcess(pid)) process.kill(pid, signal);
  } catch {
    // It has ended already.
  }
}

/** A `taskset` list: load, backend and proxy share all cores, as the two generations of a proxy do. */
export function allCores({ placement: { proxyCore, loadCores } }: Workplace): string | undefined {
  return proxyCore === undefined || loadCores === undefined ? undefined : `${proxyCore},${loadCores}`;
}

function hasMark(pid: number, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`${MARK}=${mark}\0`);
  } catch {
    return false;
  }
}

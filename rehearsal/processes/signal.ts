import { isProcess } from '../../core/errors/signals';

/** Sends a signal to a process, if there is one. One that has ended meanwhile is not there. */
export function sendSignal(pid: number | undefined, signal: NodeJS.Signals): void {
  if (!isProcess(pid)) return;
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

import { ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { entryPath } from './entry';
import type { ReaperOrder } from './reaper';

/** What the owner of a process reports of it: it must end with the rehearsal, however that ends. */
export interface ProcessHooks {
  readonly started: (pid: number) => void;
  /** It is gone: its id may soon belong to another process. */
  readonly ended: (pid: number) => void;
  /** Takes what it writes. */
  readonly log: Writable;
}

/** The process that cleans up when this one cannot any more: see `reaper.ts`. */
export class Reaper {
  private readonly process: ChildProcess;
  private readonly gone: Promise<unknown>;

  /** @param folder removed at the end */
  constructor(folder: string) {
    // A group of its own: Ctrl-C in a terminal is not for it.
    this.process = fork(entryPath('processes/reaper'), [folder], { execArgv: [], detached: true });
    this.process.on('error', () => undefined);
    this.gone = once(this.process, 'exit').catch(() => undefined);
  }

  readonly started = (pid: number): void => this.tell({ add: pid });
  readonly ended = (pid: number): void => this.tell({ remove: pid });

  /** Lets it do its work and end; resolves when the folder is gone. */
  async dismiss(): Promise<void> {
    if (this.process.connected) this.process.disconnect();
    await this.gone;
  }

  private tell(order: ReaperOrder): void {
    if (this.process.connected) this.process.send(order);
  }
}

import { writeSync } from 'node:fs';
import { EXIT_CODES } from '../../core/errors/exit-codes';
import { INHERITED_FDS } from './messages';

/** From a later generation to the first process, which stays: it serves, or it ends with this code. */
type Word = { readonly serving: number } | { readonly code: number };

/** Says it to the first process, if that is still there. */
export function tellKeeper(word: Word): void {
  try {
    writeSync(INHERITED_FDS.keeper, `${JSON.stringify(word)}\n`);
  } catch {
    // It was killed: no one is left to know.
  }
}

/**
 * The first process stays until the last generation has ended, and ends as that one: what started it (a shell, a container, a
 * supervisor) sees one process, and signals it. Every later generation has the other end of its pipe, which is open for as long as one of
 * them lives.
 */
export class Keeper {
  /** Of the generation that serves. */
  private pid: number | undefined;
  /** Those that came before it was known. */
  private waiting: NodeJS.Signals[] = [];
  private code: number = EXIT_CODES.failed.code;
  /** Resolves with the exit code when no generation is left. */
  readonly ended: Promise<number>;

  constructor(pipe: NodeJS.ReadableStream) {
    let pending = '';
    pipe.setEncoding('utf8');
    pipe.on('data', (text: string) => {
      const lines = (pending + text).split('\n');
      pending = lines.pop() ?? '';
      for (const line of lines) this.hear(JSON.parse(line) as Word);
    });
    pipe.on('error', () => undefined);
    this.ended = new Promise((resolve) => pipe.on('close', () => resolve(this.code)));
  }

  /** Passes a signal on to the generation that serves. */
  signal(signal: NodeJS.Signals): void {
    if (this.pid === undefined) return void this.waiting.push(signal);
    try {
      process.kill(this.pid, signal);
    } catch {
      // It ends by itself.
    }
  }

  private hear(word: Word): void {
    if ('code' in word) {
      this.code = word.code;
      return;
    }
    this.pid = word.serving;
    for (const signal of this.waiting.splice(0)) this.signal(signal);
  }
}

import { StoredLine, sharedClockMs } from '../writes/write-log';

/** What both backends share, as they would share a Redis: every operation is atomic, responds come in the order of the calls. */
export interface Store {
  /** Adds one and responds to the new count; the first response is 1. */
  increment(key: string): Promise<number>;
  /** Adds to the end of a list and responds to the whole list. */
  append(key: string, value: string): Promise<string[]>;
  list(key: string): Promise<string[]>;
  /** Sets a value unless there is one, and responds to the value in force. */
  setOnce(key: string, value: string): Promise<string>;
  get(key: string): Promise<string | null>;
  /** Adds a line to the end of a log and responds to its number; the first is 1. */
  log(key: string, line: string): Promise<number>;
  /** All lines of a log, in order. */
  readLog(key: string): Promise<StoredLine[]>;
}

export type StoreCall = readonly [operation: keyof Store, key: string, value?: string];

/** The state itself. It lives in one process and runs one call at a time, which is what makes the calls atomic. */
export class StoreState {
  private readonly counts = new Map<string, number>();
  private readonly lists = new Map<string, string[]>();
  private readonly values = new Map<string, string>();
  private readonly logs = new Map<string, StoredLine[]>();

  run([operation, key, value = '']: StoreCall): unknown {
    return this.operations[operation](key, value);
  }

  /** All of it, as a text. */
  describe(): string {
    return JSON.stringify([this.counts, this.lists, this.values, this.logs].map((each) => [...each]));
  }

  private readonly operations: Record<keyof Store, (key: string, value: string) => unknown> = {
    increment: (key) => {
      const count = (this.counts.get(key) ?? 0) + 1;
      this.counts.set(key, count);
      return count;
    },
    append: (key, value) => {
      const list = this.lists.get(key) ?? [];
      list.push(value);
      this.lists.set(key, list);
      return list;
    },
    list: (key) => this.lists.get(key) ?? [],
    setOnce: (key, value) => {
      if (!this.values.has(key)) this.values.set(key, value);
      return this.values.get(key);
    },
    get: (key) => this.values.get(key) ?? null,
    log: (key, value) => {
      const lines = this.logs.get(key) ?? [];
      this.logs.set(key, lines);
      return lines.push({ atMs: sharedClockMs(), value });
    },
    readLog: (key) => this.logs.get(key) ?? [],
  };
}

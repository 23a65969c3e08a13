import type { Side } from '../../core/traffic/weights';

/** A write as the backend of a side has it in its log. Times are of one clock of this machine, in milliseconds. */
export interface LoggedWrite {
  readonly client: string;
  /** Of the client: 1, 2, 3, … */
  readonly n: number;
  readonly side: Side;
  /** That of its line in the log of its side; grows from write to write. */
  readonly number: number;
  /** `X-Drainshift-Epoch` of the request; absent where the proxies do not switch. */
  readonly epoch?: number;
  readonly beganMs: number;
  /** When it could change nothing more; of one whose backend died, when it was stored. */
  readonly endedMs: number;
}

/** A write as its client saw it. */
export interface SentWrite {
  readonly client: string;
  readonly n: number;
  /** What the response said; absent of a write without a good response: it may have been done, or not. */
  readonly response?: { readonly side: Side; readonly number: number };
}

/** A line of a side's log: when the write began, or when it had ended. */
export type LogLine =
  | { readonly begin: Pick<LoggedWrite, 'client' | 'n' | 'beganMs'> & { readonly epoch?: number } }
  | { readonly end: { readonly number: number; readonly endedMs: number } };

/** As the store keeps a line: when it came, on the same clock. */
export interface StoredLine {
  readonly atMs: number;
  readonly value: string;
}

/** The clock that all processes of a machine share: it does not jump, and says nothing of the time of day. */
export function sharedClockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** The same writes, with their times by the clock of the day as it is now. */
export function toTimeOfDay(log: readonly LoggedWrite[], nowMs: number): LoggedWrite[] {
  const offset = nowMs - sharedClockMs();
  return log.map((write) => ({ ...write, beganMs: write.beganMs + offset, endedMs: write.endedMs + offset }));
}

/** The writes of a side, of the lines in its log. */
export function readLog(side: Side, lines: readonly StoredLine[]): LoggedWrite[] {
  const parsed = lines.map(({ value }) => JSON.parse(value) as LogLine);
  const ended = new Map(parsed.flatMap((line) => ('end' in line ? [[line.end.number, line.end.endedMs]] : [])));
  return parsed.flatMap((line, at) => {
    if (!('begin' in line)) return [];
    const number = at + 1;
    return [{ ...line.begin, side, number, endedMs: ended.get(number) ?? lines[at]!.atMs }];
  });
}

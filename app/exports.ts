import { randomUUID } from 'node:crypto';
import { setImmediate as breathe } from 'node:timers/promises';
import { Maps, formatLine, hashLine } from './maps';

/** What is written at once. */
const CHUNK_CHARACTERS = 64 * 1024;

/** So many entries are looked at before others have their turn: a socket that takes all at once would leave them none. */
const AT_ONCE = 1_000;

/** What was sent of an entry, by map and key. */
type Sent = ReadonlyMap<string, Map<string, string>>;

interface WholeExport {
  readonly id: string;
  readonly entries: readonly (readonly [map: string, key: string])[];
  /** Where the line of each entry begins, and where the last one that was sent ends. */
  readonly offsets: Float64Array;
  readonly sent: Sent;
  /** Of the response that goes on with it: one whose connection broke must note nothing any more. */
  turn: number;
}

/**
 * Exports of all maps, while the application goes on. What changes meanwhile may or may not be in an export; what was sent of each entry is
 * remembered, so that a later one of what has changed since has it for sure.
 */
export class Exports {
  private last: WholeExport | undefined;

  constructor(private readonly maps: Maps) {}

  /** Of the last export of everything: its ETag and its cursor. */
  get id(): string | undefined {
    return this.last?.id;
  }

  /** Everything: as text, in whole lines. */
  begin(): AsyncGenerator<string> {
    const names = Object.keys(this.maps);
    const entries = names.flatMap((name) => [...this.maps[name]!.keys()].map((key) => [name, key] as const));
    const offsets = new Float64Array(entries.length + 1).fill(Infinity);
    offsets[0] = 0;
    const sent: Sent = new Map(names.map((name) => [name, new Map<string, string>()]));
    this.last = { id: randomUUID(), entries, offsets, sent, turn: 0 };
    return this.send(this.last, 0);
  }

  /** @returns undefined where none has this id, or no line begins at this byte: then it has to be begun anew */
  resume(id: string, offset: number): AsyncGenerator<string> | undefined {
    const { last } = this;
    if (last?.id !== id) return undefined;
    const at = findLine(last.offsets, offset);
    if (at === undefined) return undefined;
    // What was sent behind it begins elsewhere, where entries have changed.
    last.offsets.fill(Infinity, at + 1);
    return this.send(last, at);
  }

  /** @returns undefined where the cursor is not of the last export of everything */
  since(cursor: string): AsyncGenerator<string> | undefined {
    return this.last?.id === cursor ? this.changes(this.last) : undefined;
  }

  forget(): void {
    this.last = undefined;
  }

  private async *send(whole: WholeExport, from: number): AsyncGenerator<string> {
    const { entries, offsets, sent } = whole;
    whole.turn += 1;
    const { turn } = whole;
    let chunk = '';
    for (let at = from; at < entries.length; at += 1) {
      if (at % AT_ONCE === AT_ONCE - 1) await breathe();
      if (whole.turn !== turn) throw new Error('another request goes on with this export');
      const [map, key] = entries[at]!;
      const line = formatLine(this.maps, map, key) ?? '';
      if (line === '') sent.get(map)!.delete(key);
      else sent.get(map)!.set(key, hashLine(line));
      offsets[at + 1] = offsets[at]! + Buffer.byteLength(line);
      chunk += line;
      if (chunk.length < CHUNK_CHARACTERS) continue;
      yield chunk;
      chunk = '';
    }
    if (chunk !== '') yield chunk;
  }

  private async *changes({ sent }: WholeExport): AsyncGenerator<string> {
    let chunk = '';
    let looked = 0;
    for (const [name, before] of sent) {
      const map = this.maps[name]!;
      for (const key of [...map.keys()]) {
        looked += 1;
        if (looked % AT_ONCE === 0) await breathe();
        const line = formatLine(this.maps, name, key);
        if (line !== undefined && before.get(key) !== hashLine(line)) chunk += line;
        if (chunk.length >= CHUNK_CHARACTERS) {
          yield chunk;
          chunk = '';
        }
      }
      for (const key of before.keys()) {
        looked += 1;
        if (looked % AT_ONCE === 0) await breathe();
        if (map.get(key) === undefined) chunk += `${JSON.stringify([name, key])}\n`;
      }
    }
    if (chunk !== '') yield chunk;
  }
}

/** The index of the line that begins at a byte. Those that were not sent yet begin nowhere. */
function findLine(offsets: Float64Array, offset: number): number | undefined {
  if (offset === 0) return 0;
  let [low, high] = [1, offsets.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offsets[middle]! >= offset) high = middle;
    else low = middle + 1;
  }
  return offsets[low] === offset ? low : undefined;
}

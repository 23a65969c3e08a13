import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { parseExportLine } from '../../core/capture/export-line';
import { NoTrafficStream } from '../../core/capture/traffic-stream';
import { oneLine } from '../../core/text/one-line';
import type { Part } from '../contract/part-source';
import { DamagedCapture, StoredRecord } from '../contract/reader';

/** A record of Kafka is at most some MiB, and its base64 a third more. */
export const MAX_LINE_BYTES = 67_108_864;
const LF = 10;
const GZIP = [0x1f, 0x8b];

export interface PartOptions {
  /** As that of the reader. */
  readonly skip: ((problem: string) => void) | undefined;
  /** Of the last part of a node an end may be missing: its process was killed, or copying was stopped. */
  readonly mayBeCut: boolean;
  readonly warn: (line: string) => void;
  /** Called with the number of bytes that were read more. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * The records of one part, some at a time. A part is a gzip of lines, or the lines themselves.
 *
 * @throws DamagedCapture
 */
export async function* readPart(part: Part, options: PartOptions): AsyncGenerator<readonly StoredRecord[]> {
  const lines = new LineReader(part.name, options);
  const source = await part.open();
  try {
    for await (const bytes of decompress(source, options.onBytes)) {
      const records = lines.push(bytes);
      if (records.length > 0) yield records;
      if (lines.failure) throw lines.failure;
    }
  } catch (error) {
    if (error instanceof DamagedCapture) throw error;
    lines.endEarly(part.name, error as NodeJS.ErrnoException);
    if (lines.failure) throw lines.failure;
    return;
  } finally {
    source.destroy();
  }
  const rest = lines.end();
  if (rest.length > 0) yield rest;
  if (lines.failure) throw lines.failure;
}

/** By its first bytes; a file may have any name. */
async function* decompress(source: Readable, onBytes: PartOptions['onBytes']): AsyncGenerator<Buffer> {
  const iterator = count(source, onBytes);
  let first = Buffer.alloc(0);
  while (first.length < GZIP.length) {
    const { value, done } = await iterator.next();
    if (done) break;
    first = Buffer.concat([first, value]);
  }
  if (!GZIP.every((byte, at) => first[at] === byte)) {
    if (first.length > 0) yield first;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
    return;
  }
  const gunzip = createGunzip({ chunkSize: 262_144 });
  const feeding = feed(first, iterator, gunzip);
  try {
    yield* gunzip as AsyncIterable<Buffer>;
    await feeding;
  } finally {
    gunzip.destroy();
  }
}

async function* count(source: Readable, onBytes: PartOptions['onBytes']): AsyncGenerator<Buffer, undefined> {
  for await (const bytes of source as AsyncIterable<Buffer>) {
    onBytes(bytes.length);
    yield bytes;
  }
  return undefined;
}

async function feed(
  first: Buffer,
  rest: AsyncIterator<Buffer>,
  gunzip: ReturnType<typeof createGunzip>,
): Promise<void> {
  try {
    let next: IteratorResult<Buffer> = { value: first, done: false };
    for (; !next.done && !gunzip.destroyed; next = await rest.next()) {
      if (!gunzip.write(next.value)) await Promise.race([once(gunzip, 'drain'), once(gunzip, 'close')]);
    }
    gunzip.end();
  } catch (error) {
    gunzip.destroy(error as Error);
  }
}

/** Makes lines of bytes, and records of lines. */
class LineReader {
  private pieces: Buffer[] = [];
  private size = 0;
  private number = 0;
  private timeMs = 0;
  /** What ends the reading, behind what was before it. */
  failure: DamagedCapture | undefined;

  constructor(
    private readonly name: string,
    private readonly options: PartOptions,
  ) {}

  push(bytes: Buffer): StoredRecord[] {
    const records: StoredRecord[] = [];
    let at = 0;
    for (let end = bytes.indexOf(LF); end >= 0 && !this.failure; end = bytes.indexOf(LF, at)) {
      this.keep(bytes.subarray(at, end));
      this.take(records);
      at = end + 1;
    }
    this.keep(bytes.subarray(at));
    return records;
  }

  private keep(piece: Buffer): void {
    this.size += piece.length;
    if (this.size <= MAX_LINE_BYTES) this.pieces.push(piece);
    else if (this.pieces.length > 0) {
      this.pieces = [];
      this.reject(this.number + 1, `a record must have at most ${MAX_LINE_BYTES} bytes, got more`);
    }
  }

  private take(records: StoredRecord[]): void {
    this.number += 1;
    const isTooLong = this.size > MAX_LINE_BYTES;
    const line = (this.pieces.length === 1 ? this.pieces[0]! : Buffer.concat(this.pieces)).toString('latin1');
    this.pieces = [];
    this.size = 0;
    if (isTooLong || line === '' || line === '\r') return;
    try {
      const stream = parseExportLine(line.endsWith('\r') ? line.slice(0, -1) : line);
      const last = stream.observations.at(-1)?.timeNs;
      if (last !== undefined) this.timeMs = Number(last / 1_000n) / 1_000;
      records.push({ stream, timeMs: this.timeMs });
    } catch (error) {
      if (!(error instanceof NoTrafficStream)) throw error;
      const got = JSON.stringify(oneLine(line.slice(0, 60)));
      this.reject(this.number, `a record must be '<key>|<base64 of a TrafficStream>': ${error.message}, got ${got}`);
    }
  }

  private reject(line: number, problem: string): void {
    this.report(`'${this.name}', line ${line}: ${problem}`);
  }

  private report(text: string): void {
    if (this.options.skip) this.options.skip(text);
    else this.failure ??= new DamagedCapture(text);
  }

  end(): StoredRecord[] {
    const records: StoredRecord[] = [];
    // The last line needs no end. One that was cut is no record.
    if (this.size > 0) this.take(records);
    return records;
  }

  /** What was whole has been given. @throws Error where nothing is wrong with the part itself */
  endEarly(name: string, { code = '', message }: NodeJS.ErrnoException): void {
    if (!code.startsWith('Z_')) throw new Error(`'${name}' must be readable to its end, got ${message}`);
    const isCut = code === 'Z_BUF_ERROR';
    const problem = isCut ? 'it ends within its gzip' : `its gzip is damaged (${message})`;
    const text = `'${this.name}' after line ${this.number}: it must be a whole file, got one where ${problem}`;
    if (isCut && this.options.mayBeCut && this.number > 0) this.options.warn(`${text}; what is whole before it counts`);
    else this.report(text);
  }
}

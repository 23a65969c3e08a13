import { Line, MapLike, Maps } from './maps';

/** How far an import is. */
export interface Imported {
  readonly bytes: number;
  readonly keys: number;
}

/** Not what an export of these maps has. */
export class ImportError extends Error {}

interface Running {
  readonly id: string;
  bytes: number;
  keys: number;
  /** Of the request whose body is applied. */
  body: object | undefined;
}

const LF = 0x0a;

/** Ids of imports that have ended. */
const MAX_ENDED = 100;

/**
 * Applies exports of the other side. What the maps held before is kept until the decision: an abort restores it, so that nothing of an import
 * stays.
 */
export class Imports {
  private running: Running | undefined;
  private readonly ended = new Set<string>();
  private before: ReadonlyMap<string, readonly (readonly [key: string, value: unknown])[]> | undefined;

  constructor(private readonly maps: Maps) {}

  /** @returns undefined where there is none with this id */
  find(id: string): Imported | undefined {
    return this.running?.id === id ? this.running : undefined;
  }

  /**
   * @param body of one request. One that comes with the same id takes the place of the one before
   * @param offset of its first byte; 0 of one that begins
   * @param isWhole whether it takes the place of all that there is, and not only of what has changed
   * @throws ImportError for what is no export of these maps; of the body where it breaks off: what came in whole lines stays
   */
  async apply(id: string, body: AsyncIterable<Buffer>, offset: number, isWhole: boolean): Promise<Imported> {
    const running = this.begin(id, offset, isWhole);
    running.body = body;
    let rest: Buffer[] = [];
    for await (const chunk of body) {
      if (this.running !== running || running.body !== body)
        throw new ImportError(`another request of the import '${id}' took its place`);
      const end = chunk.lastIndexOf(LF) + 1;
      if (end > 0) this.applyLines(running, Buffer.concat([...rest, chunk.subarray(0, end)]));
      if (end > 0) rest = [];
      if (end < chunk.length) rest.push(chunk.subarray(end));
    }
    const more = Buffer.concat(rest).length;
    if (more > 0) throw new ImportError(`an import must end with a whole line, got ${more} bytes more`);
    return running;
  }

  /** As it was before the first import. */
  discard(): void {
    this.end();
    if (!this.before) return;
    for (const [name, entries] of this.before) {
      const map = this.maps[name]!;
      clear(map);
      for (const [key, value] of entries) map.set(key, value);
    }
    this.before = undefined;
  }

  /** What was imported is the state from now on. */
  keep(): void {
    this.end();
    this.before = undefined;
  }

  /** What comes of it later is late. */
  private end(): void {
    if (this.running) this.ended.add(this.running.id);
    this.running = undefined;
    if (this.ended.size > MAX_ENDED) this.ended.delete([...this.ended][0]!);
  }

  private begin(id: string, offset: number, isWhole: boolean): Running {
    const { running } = this;
    if (this.ended.has(id)) throw new ImportError(`the import '${id}' has ended, or another one took its place`);
    if (offset > 0) {
      if (running?.id === id && running.bytes === offset) return running;
      const has = running?.id === id ? running.bytes : 0;
      throw new ImportError(`the import '${id}' must go on at byte ${has}, got ${offset}`);
    }
    if (!isWhole && !this.before) throw new ImportError('an import of changes must follow one of everything, got none');
    this.before ??= new Map(Object.entries(this.maps).map(([name, map]) => [name, listEntries(map)]));
    if (isWhole) for (const map of Object.values(this.maps)) clear(map);
    if (running?.id !== id) this.end();
    this.running = { id, bytes: 0, keys: 0, body: undefined };
    return this.running;
  }

  private applyLines(running: Running, lines: Buffer): void {
    for (const line of lines.toString('utf8').split('\n')) {
      if (line === '') continue;
      const [name, key, ...value] = readLine(line);
      const map = Object.hasOwn(this.maps, name) ? this.maps[name] : undefined;
      const known = Object.keys(this.maps).join(', ');
      if (!map) throw new ImportError(`an import must have entries of ${known}, got one of '${name}'`);
      if (value.length === 0) map.delete(key);
      else map.set(key, value[0]);
      running.keys += 1;
    }
    running.bytes += lines.length;
  }
}

function readLine(line: string): Line {
  let read: unknown;
  try {
    read = JSON.parse(line);
  } catch {
    read = undefined;
  }
  const isLine =
    Array.isArray(read) &&
    (read.length === 2 || read.length === 3) &&
    read.slice(0, 2).every((each) => typeof each === 'string');
  if (!isLine) throw new ImportError(`an import must have lines ["map","key",value], got ${line.slice(0, 100)}`);
  return read as Line;
}

function listEntries(map: MapLike): (readonly [string, unknown])[] {
  return [...map.keys()].map((key) => [key, map.get(key)] as const);
}

function clear(map: MapLike): void {
  for (const key of [...map.keys()]) map.delete(key);
}

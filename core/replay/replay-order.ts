/** One request, as far as its order is concerned. */
export interface OrderedRequest {
  readonly id: string;
  /** Requests of one key keep the order that they had in time. */
  readonly key: string;
  /** Requests of one connection keep the order in which they were read, also where they were pipelined. */
  readonly connection: string;
  /** When its first byte was read. */
  readonly startMs: number;
}

interface Entry {
  readonly request: OrderedRequest;
  /** When the last byte of its recorded response was written; undefined until that is known. */
  endMs: number | undefined;
  /** How many it waits for. */
  blockers: number;
  readonly dependents: Entry[];
}

/**
 * Which requests may be sent by now. A request waits for those of its key whose response had ended, where it was recorded, before its own
 * first byte was read; and for those before it on its connection. All others may overlap, as they may have done.
 *
 * What is recorded is given in the order of its time: an end before the starts that are not before it.
 */
export class ReplayOrder {
  private readonly entries = new Map<string, Entry>();
  private readonly keys = new Map<string, Set<Entry>>();
  private readonly connections = new Map<string, Entry>();
  private readonly ready: OrderedRequest[] = [];

  /** Requests that are not finished. */
  get size(): number {
    return this.entries.size;
  }

  add(request: OrderedRequest): void {
    const entry: Entry = { request, endMs: undefined, blockers: 0, dependents: [] };
    const others = this.keys.get(request.key) ?? new Set<Entry>();
    const before = this.connections.get(request.connection);
    const isAfter = (other: Entry) => other === before || (other.endMs !== undefined && other.endMs <= request.startMs);
    for (const other of others) if (isAfter(other)) block(other, entry);
    if (before && !others.has(before)) block(before, entry);
    others.add(entry);
    this.keys.set(request.key, others);
    this.entries.set(request.id, entry);
    this.connections.set(request.connection, entry);
    if (entry.blockers === 0) this.ready.push(request);
  }

  /** Its recorded response had ended. */
  end(id: string, endMs: number): void {
    const entry = this.entries.get(id);
    if (entry) entry.endMs = endMs;
  }

  /** The next one that waits for none. */
  next(): OrderedRequest | undefined {
    return this.ready.shift();
  }

  /** It has its response from the target, or will not get one. */
  finish(id: string): void {
    const entry = this.entries.get(id);
    if (!entry) return;
    const { key, connection } = entry.request;
    this.entries.delete(id);
    const others = this.keys.get(key);
    others?.delete(entry);
    if (others?.size === 0) this.keys.delete(key);
    if (this.connections.get(connection) === entry) this.connections.delete(connection);
    for (const dependent of entry.dependents) {
      dependent.blockers -= 1;
      if (dependent.blockers === 0) this.ready.push(dependent.request);
    }
  }
}

function block(before: Entry, after: Entry): void {
  before.dependents.push(after);
  after.blockers += 1;
}

import type { CaptureEvent, CapturedRequest } from './connection-assembly';

/** What has a place in time. */
export type TimedEvent = Exclude<CaptureEvent, { readonly kind: 'withdrawal' }>;

interface Entry {
  readonly event: TimedEvent;
  /** Of two at the same time, the one that came first. */
  readonly place: number;
}

/**
 * Puts what was seen on many connections in the order of its time. What comes later than the time that was released already is
 * released at once, and counted.
 */
export class TimeOrder {
  private readonly heap: Entry[] = [];
  private place = 0;
  private releasedMs = -Infinity;
  private bytes = 0;
  /** Requests that were not released. */
  private readonly held = new Set<string>();
  private readonly withdrawn = new Set<string>();
  /** Events that came too late for their place. */
  late = 0;

  /** @param maxBytes beyond it, the earliest is released before its time */
  constructor(private readonly maxBytes: number) {}

  get size(): number {
    return this.heap.length;
  }

  get heldBytes(): number {
    return this.bytes;
  }

  /** Of what is released next; undefined without anything. */
  get firstMs(): number | undefined {
    return this.heap[0]?.event.timeMs;
  }

  /** The earliest of those that are wanted and were not released. */
  findFirst(isWanted: (request: CapturedRequest) => boolean): CapturedRequest | undefined {
    let first: CapturedRequest | undefined;
    for (const { event } of this.heap)
      if (event.kind === 'request' && isWanted(event.request))
        if (!first || event.timeMs < first.message.lastByteMs) first = event.request;
    return first;
  }

  add(event: TimedEvent): void {
    if (event.timeMs < this.releasedMs) this.late += 1;
    this.bytes += countBytes(event);
    this.place += 1;
    if (event.kind === 'request') this.held.add(event.request.id);
    rise(this.heap, { event, place: this.place });
  }

  /** Takes a request out that is none. @returns false when it was released already */
  withdraw(id: string): boolean {
    if (!this.held.has(id)) return false;
    this.withdrawn.add(id);
    return true;
  }

  /** The next one that is not after a time. */
  take(untilMs: number): TimedEvent | undefined {
    for (;;) {
      const event = this.takeFirst(untilMs);
      if (event?.kind !== 'request') return event;
      this.held.delete(event.request.id);
      if (!this.withdrawn.delete(event.request.id)) return event;
    }
  }

  private takeFirst(untilMs: number): TimedEvent | undefined {
    const first = this.heap[0];
    if (!first || (first.event.timeMs > untilMs && this.bytes <= this.maxBytes)) return undefined;
    sink(this.heap);
    this.bytes -= countBytes(first.event);
    this.releasedMs = Math.max(this.releasedMs, first.event.timeMs);
    return first.event;
  }
}

function countBytes(event: TimedEvent): number {
  if (event.kind === 'message') return 200 + event.message.payload.length;
  return 200 + (event.kind === 'request' ? event.request : event.response).message.raw.length;
}

/** At one moment an end comes before a start: what may have been in order is kept in order. */
function isBefore(a: Entry, b: Entry): boolean {
  if (a.event.timeMs !== b.event.timeMs) return a.event.timeMs < b.event.timeMs;
  if (a.event.kind !== b.event.kind) return a.event.kind === 'response';
  return a.place < b.place;
}

function rise(heap: Entry[], entry: Entry): void {
  let at = heap.length;
  heap.push(entry);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!isBefore(entry, heap[parent]!)) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = entry;
}

/** Takes the first one out. */
function sink(heap: Entry[]): void {
  const last = heap.pop()!;
  if (heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
    if (!isBefore(heap[child]!, last)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
}

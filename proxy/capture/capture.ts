import { createHmac } from 'node:crypto';
import { CaptureReport, NO_CAPTURE } from '../../core/capture/capture-report';
import { formatNodeId } from '../../core/capture/node-id';
import { REDACTED, Redaction, parseRedaction } from '../../core/capture/redaction';
import { StoreUrl, formatStoreUrl } from '../../core/capture/store-url';
import { StoreLogin, openCaptureWriter } from '../../capture/open-writer';
import type { CaptureRecord } from '../../capture/contract/store';
import type {
  MessageRecording,
  RecordedRequest,
  Recording,
  RequestHead,
  Response,
} from '../data-plane/contract/data-plane';
import { compilePattern } from '../data-plane/fields/request-pattern';
import type { Side } from '../../core/traffic/weights';
import type { Clock } from '../process/clock';
import { Committed, ExchangeRecording, RecordingHome } from './exchange-recording';
import { Journal, JournalOptions } from './journal';
import { Trace } from './trace';
import { WallClock } from './wall-clock';
import { MessageHome, WebSocketRecording } from './websocket-recording';

/** What becomes of a request that changes something while its record cannot be written. */
export type CaptureFailure = 'refuse' | 'forward';

/** What a proxy records, and where. */
export interface CaptureConfig {
  readonly store: StoreUrl;
  readonly login: StoreLogin;
  readonly onFailure: CaptureFailure;
  /** For so long a request waits for its record. */
  readonly timeoutMs: number;
  /** Empty: all. In upper case. */
  readonly methods: readonly string[];
  /** Empty: all. */
  readonly paths: readonly string[];
  /** What is not recorded; see `compilePattern`. */
  readonly never: readonly string[];
  /** Of WebSockets. */
  readonly recordsMessages: boolean;
  /** Of the connections, in percent. */
  readonly share: number;
  /** Names of fields, and JSON pointers. */
  readonly redacted: readonly string[];
  /** Keys the hashes of what is hidden. */
  readonly key: string;
  /** A longer body is cut. */
  readonly bodyBytes: number;
  /** What one process holds until it is durable. */
  readonly memoryBytes: number;
}

/** RFC 9110 section 9.3 and RFC 5789. */
const WRITES = ['POST', 'PUT', 'PATCH', 'DELETE'];

const DICTIONARY_PART = 4;

/** Hexadecimal digits of a hash. */
const HASH_DIGITS = 32;

/** Which backend a request goes to that is decided now. */
export interface Serving {
  readonly side: Side;
}

/** Records the exchanges of one process, and knows which requests have to wait for that. */
export class Capture implements RecordingHome, MessageHome {
  readonly wallClock = new WallClock();
  readonly redaction: Redaction;
  readonly bodyBytes: number;
  readonly counts = { recorded: 0, refused: 0, unrecorded: 0, lost: 0 };
  /** Of WebSockets. */
  private readonly messages = { recorded: 0, lost: 0 };
  private readonly journal: Journal;
  private readonly methods: ReadonlySet<string>;
  private readonly paths: readonly ((head: RequestHead) => boolean)[];
  private readonly never: readonly ((head: RequestHead) => boolean)[];
  private readonly leavesOut: readonly string[];
  private readonly traces = new WeakMap<object, Trace>();
  private connections = 0;
  private heldBytes = 0;
  private dictionaryBytes = 0;
  /** Of records of messages, which no switch waits for: those of a backend go on in a hold, and no replay sends them. */
  private messageBytes = 0;
  private isHolding = false;

  constructor(
    private readonly config: CaptureConfig,
    private readonly nodeId: string,
    private readonly serving: Serving,
    private readonly clock: Clock,
    private readonly log: JournalOptions['log'],
  ) {
    const { store, login, memoryBytes: maxBytes, methods, paths, never, redacted, key, bodyBytes } = config;
    const node = { id: nodeId, startedMs: Date.now() };
    this.journal = new Journal({ open: () => openCaptureWriter(store, node, login), clock, maxBytes, log });
    this.methods = new Set(methods);
    this.paths = paths.map(compilePattern);
    this.never = never.map(compilePattern);
    const hash = (value: string) =>
      REDACTED + createHmac('sha256', key).update(value).digest('hex').slice(0, HASH_DIGITS);
    this.redaction = { ...parseRedaction(redacted), hash };
    this.bodyBytes = bodyBytes;
    const ofMethods = methods.length > 0 && WRITES.some((method) => !methods.includes(method));
    this.leavesOut = [
      ...(config.share < 100 ? ['capture_share'] : []),
      ...(ofMethods ? ['capture_methods'] : []),
      ...(paths.length > 0 ? ['capture_paths'] : []),
      // What was forwarded without a record is forgotten with its task.
      ...(config.onFailure === 'forward' ? ['capture_on_failure'] : []),
    ];
  }

  /** @returns undefined of what is not recorded */
  begin(head: RecordedRequest): Recording | undefined {
    if (this.methods.size > 0 && !this.methods.has(head.method)) return undefined;
    if (this.paths.length > 0 && !this.paths.some((matches) => matches(head))) return undefined;
    if (this.never.some((matches) => matches(head))) return undefined;
    const trace = this.findTrace(head);
    return trace.isRecorded ? new ExchangeRecording(this, head, trace) : undefined;
  }

  /**
   * The streams of an HTTP/2 connection overlap, so that each is a connection of its own in a format that has only HTTP/1.1. What
   * the other backend gets of a connection behind a switch is another one, too: who replays it needs that of one backend alone.
   */
  private findTrace({ client, httpVersion }: RecordedRequest): Trace {
    const nodeId = formatNodeId(this.nodeId, this.serving.side);
    const known = this.traces.get(client);
    if (known?.nodeId === nodeId) return httpVersion === '2' ? known.branch() : known;
    this.connections += 1;
    const trace = new Trace(nodeId, `${nodeId}.${this.connections}`, known?.isRecorded ?? this.isInShare());
    this.traces.set(client, trace);
    return httpVersion === '2' ? trace.branch() : trace;
  }

  /** Spread evenly over the connections. */
  private isInShare(): boolean {
    const { connections: connection } = this;
    const { share } = this.config;
    return Math.floor((connection * share) / 100) > Math.floor(((connection - 1) * share) / 100);
  }

  get report(): CaptureReport {
    const { journal, counts, leavesOut } = this;
    const isFailing = journal.failingSinceMs !== undefined;
    return {
      ...NO_CAPTURE,
      ...counts,
      store: formatStoreUrl(this.config.store),
      ...(leavesOut.length > 0 && { leavesOut }),
      ...(this.config.recordsMessages && { webSockets: { ...this.messages } }),
      pendingBytes: journal.pendingBytes - this.messageBytes,
      pendingMs: Math.round(journal.pendingMs),
      isFailing,
    };
  }

  /** Room for bytes that are kept until they are written. It is given back with `free`. */
  hold(bytes: number): boolean {
    if (!this.journal.hasRoom(this.heldBytes + bytes)) return false;
    this.heldBytes += bytes;
    return true;
  }

  free(bytes: number): void {
    this.heldBytes -= bytes;
  }

  /** Connections that live long must not take the room of requests: dictionaries have a quarter as much beside it. */
  holdDictionary(bytes: number): boolean {
    if (this.dictionaryBytes + bytes > this.config.memoryBytes / DICTIONARY_PART) return false;
    this.dictionaryBytes += bytes;
    return true;
  }

  freeDictionary(bytes: number): void {
    this.dictionaryBytes -= bytes;
  }

  append(record: CaptureRecord, durable?: () => void): void {
    const urgency = this.isHolding ? 'now' : 'later';
    if (this.journal.hasRoom(record.bytes.length)) this.journal.add(record, urgency, durable);
    else this.counts.lost += 1;
  }

  followMessages(trace: Trace, fields: string): MessageRecording | undefined {
    return this.config.recordsMessages ? WebSocketRecording.begin(this, trace, fields) : undefined;
  }

  /** See `DataPlaneOptions.resumeMessages`. */
  resumeMessages(packed: Buffer): MessageRecording | undefined {
    if (!this.config.recordsMessages) return undefined;
    try {
      return WebSocketRecording.unpack(this, packed);
    } catch (error) {
      this.lostMessages(1);
      this.faulted(error);
      return undefined;
    }
  }

  appendMessages(records: readonly CaptureRecord[], count: number): void {
    const bytes = records.reduce((sum, record) => sum + record.bytes.length, 0);
    if (!this.journal.hasRoom(bytes)) return this.lostMessages(count);
    const urgency = this.isHolding ? 'now' : 'later';
    this.messageBytes += bytes;
    const last = records.length - 1;
    records.forEach((record, at) =>
      this.journal.add(record, urgency, () => {
        this.messageBytes -= record.bytes.length;
        if (at === last) this.messages.recorded += count;
      }),
    );
  }

  lostMessages(count: number): void {
    this.messages.lost += count;
  }

  faulted(err: unknown): void {
    this.log.warn({ err }, 'The messages of a WebSocket are recorded no further: an error of the proxy');
  }

  /** While requests are held, a switch may wait until nothing is pending: what no request waits for is written at once, too. */
  setHolding(isHolding: boolean): void {
    this.isHolding = isHolding;
    if (isHolding) void this.journal.flush();
  }

  /** See `Recording.commit`. @param settled is called once: whether the request goes on, and whether its record was durable then */
  commit(records: readonly CaptureRecord[], settled: (outcome: Committed) => void): void {
    const bytes = records.reduce((sum, record) => sum + record.bytes.length, 0);
    const { journal, clock, config } = this;
    const failingMs = journal.failingSinceMs === undefined ? 0 : clock.nowMs() - journal.failingSinceMs;
    if (failingMs >= config.timeoutMs) return this.giveUp('failing', settled);
    if (!journal.hasRoom(bytes)) return this.giveUp('full', settled);
    let isSettled = false;
    const cancel = clock.after(config.timeoutMs, () => {
      isSettled = true;
      this.giveUp('late', settled);
    });
    let left = records.length;
    for (const record of records)
      journal.add(record, 'now', () => {
        // They may be in several writes, which are under way at the same time: any of them may be the last.
        left -= 1;
        if (left > 0 || isSettled) return;
        isSettled = true;
        cancel();
        this.counts.recorded += 1;
        settled({ record: 'durable', rejection: undefined });
      });
  }

  get rejects(): boolean {
    return this.config.onFailure === 'refuse';
  }

  reject(why: keyof typeof REJECTIONS): Response {
    this.counts.refused += 1;
    return REJECTIONS[why];
  }

  private giveUp(why: keyof typeof REJECTIONS, settled: (outcome: Committed) => void): void {
    const record = why === 'late' ? 'unknown' : 'none';
    if (this.rejects) return settled({ record, rejection: this.reject(why) });
    this.counts.unrecorded += 1;
    settled({ record, rejection: undefined });
  }

  /** @param seconds for what is not durable yet. @returns how many records are lost */
  async close(seconds: number): Promise<number> {
    const left = await this.journal.close(this.clock.nowMs() + 1000 * seconds);
    this.counts.lost += left;
    return left;
  }
}

const REJECTIONS = {
  failing: notRecorded('the store does not take it'),
  full: notRecorded('too much waits to be recorded'),
  late: notRecorded('the store did not take it in time'),
} as const;

function notRecorded(why: string): Response {
  return {
    status: 503,
    headers: { 'retry-after': '2' },
    body: `This request must be recorded, and was not forwarded: ${why}\n`,
  };
}

import type { BodyReading } from '../../core/compare/body-differences';
import { compareResponses } from '../../core/compare/compare-responses';
import type { ComparedPair } from '../../core/compare/difference-tally';
import type { ComparedResponse, ResponsePair } from '../../core/compare/response';
import { decodeBody } from '../../compare/decode';
import { isMirrored, type MirrorMethods } from '../../core/mirror/is-mirrored';
import { isSafeMethod } from '../../core/traffic/safe-methods';
import { MIRROR_HEADER, MirrorCounts, MirrorDrop, NO_MIRROR } from '../../core/mirror/mirror-counts';
import { TargetHealth } from '../../core/mirror/target-health';
import type { RecordedRequest, RequestHead, Upstream } from '../data-plane/contract/data-plane';
import type { FieldBlock, ReplacedFields } from '../data-plane/contract/streams';
import { compilePattern } from '../data-plane/fields/request-pattern';
import type { Clock } from '../process/clock';
import { Copy, CopyEnd, CopySender } from './copy-sender';
import { CopyHead, MirrorHome, MirroredExchange, SendCopy, parseFields } from './mirrored-exchange';

/** Where a request itself goes. */
export interface MirrorRoute {
  readonly upstream: Upstream;
  /** Fields that it has there in place of its own. */
  readonly replaced: ReplacedFields | undefined;
  /** Whether it is on its way, or waits for its record. */
  readonly isForwarded: boolean;
}

/** What a proxy copies, and where to. */
export interface MirrorConfig {
  readonly target: Upstream;
  /** Of the requests that can be copied, in percent. */
  readonly share: number;
  readonly methods: MirrorMethods;
  /** Empty: all. */
  readonly paths: readonly string[];
  /** What is not copied; see `compilePattern`. */
  readonly never: readonly string[];
  /** Of the copied safe requests, in percent: they are sent to the source once more. */
  readonly repeatShare: number;
  /** Fields that are not judged. */
  readonly ignore: readonly string[];
  /** Of one process. More copies are not under way. */
  readonly concurrency: number;
  readonly timeoutMs: number;
  /** A request with a longer body is not copied; of a longer response so much is compared. */
  readonly bodyBytes: number;
  /** What one process holds of all copies. */
  readonly memoryBytes: number;
}

/** More are not repeated at a time: the source has its own traffic. */
const MAX_REPEATS = 4;
const MARK = MIRROR_HEADER.toLowerCase();
/** `Expect`: the wait is of no use here. The body gets a length of its own. */
const LEFT_OUT: ReadonlySet<string> = new Set(['expect', 'content-length', 'transfer-encoding', MARK]);
/** The least that a comparison takes for its limit. */
const MIN_COMPARED_BYTES = 1_024;

export interface MirrorOptions {
  readonly clock: Clock;
  readonly log: { warn(figures: object, message: string): void; info(message: string): void };
  /** The source. What goes elsewhere is not copied. */
  readonly source: Upstream;
  readonly nodeId: string;
  /** Takes what was compared; false where it is lost. */
  readonly compared: (pair: ComparedPair) => boolean;
}

type Tally = {
  -readonly [Name in keyof MirrorCounts]: MirrorCounts[Name] extends number
    ? number
    : { -readonly [Part in keyof MirrorCounts[Name]]: number };
};

/** Copies requests of one process to a target, and compares its responses with those of the source. No client waits for it. */
export class Mirror implements MirrorHome {
  readonly bodyBytes: number;
  readonly timeoutMs: number;
  private readonly tally: Tally = structuredClone(NO_MIRROR);
  private readonly paths: readonly ((head: RequestHead) => boolean)[];
  private readonly never: readonly ((head: RequestHead) => boolean)[];
  /** They are limited by their number: nothing waits for a place. */
  private readonly underWay = new Set<MirroredExchange>();
  private readonly compares: MirroredExchange[] = [];
  private readonly health = new TargetHealth();
  private readonly target: CopySender;
  private readonly source: CopySender;
  private readonly reading: BodyReading;
  private heldBytes = 0;
  private repeating = 0;
  private numbers = 0;
  private hasFaulted = false;
  private isClosed = false;

  constructor(
    private readonly config: MirrorConfig,
    private readonly options: MirrorOptions,
  ) {
    const { concurrency, timeoutMs, bodyBytes, paths, never, target } = config;
    const limits = { timeoutMs, maxResponseBytes: bodyBytes, nowMs: options.clock.nowMs };
    this.bodyBytes = bodyBytes;
    this.timeoutMs = timeoutMs;
    this.reading = { decode: decodeBody, maxBodyBytes: Math.max(MIN_COMPARED_BYTES, bodyBytes) };
    this.target = new CopySender(target, { ...limits, maxConnections: concurrency });
    this.source = new CopySender(options.source, { ...limits, maxConnections: MAX_REPEATS });
    this.paths = paths.map(compilePattern);
    this.never = never.map(compilePattern);
  }

  get counts(): MirrorCounts {
    return { ...structuredClone(this.tally), underWay: this.underWay.size };
  }

  /**
   * @param route where the request itself goes, the fields that it has there in place of its own, and whether it is on its way
   * @returns undefined of what is not copied
   */
  begin(head: RecordedRequest, route: MirrorRoute): MirroredExchange | undefined {
    try {
      return this.isChosen(head, route.upstream) && this.admits(head) ? this.open(head, route) : undefined;
    } catch (error) {
      this.dropped('faulted', error);
      return undefined;
    }
  }

  /** By chance: of requests that come in turns it is not always the same one then. */
  private isChosen(head: RecordedRequest, upstream: Upstream): boolean {
    const { methods, share } = this.config;
    // After a switch the target gets the requests themselves.
    if (this.isClosed || upstream !== this.options.source) return false;
    if (head.isUpgrade || head.isGrpc || !isMirrored(head.method, methods)) return false;
    if (this.options.clock.random() * 100 >= share || head.field(MARK) !== undefined) return false;
    if (this.paths.length > 0 && !this.paths.some((matches) => matches(head))) return false;
    return !this.never.some((matches) => matches(head));
  }

  private admits({ bodyLength }: RecordedRequest): boolean {
    const why = this.findObstacle(bodyLength);
    if (why !== undefined) this.tally.dropped[why] += 1;
    return why === undefined;
  }

  private findObstacle(bodyLength: number): MirrorDrop | undefined {
    const { config, health, options } = this;
    if (bodyLength > config.bodyBytes) return 'tooLong';
    if (this.underWay.size >= config.concurrency) return 'busy';
    return health.admits(options.clock.nowMs()) ? undefined : 'down';
  }

  private open(head: RecordedRequest, { replaced, isForwarded }: MirrorRoute): MirroredExchange {
    const { method, url, bodyLength } = head;
    this.numbers += 1;
    const id = `${this.options.nodeId}.${this.numbers}`;
    const copy = { method, url, isSafe: isSafeMethod(method), fields: listFields(head.block(replaced), id) };
    const exchange = new MirroredExchange(this, copy, bodyLength, isForwarded);
    this.underWay.add(exchange);
    exchange.begin();
    return exchange;
  }

  after(ms: number, call: () => void): () => void {
    return this.options.clock.after(ms, call);
  }

  hold(bytes: number): boolean {
    if (this.heldBytes + bytes > this.config.memoryBytes) return false;
    this.heldBytes += bytes;
    return true;
  }

  free(bytes: number): void {
    this.heldBytes -= bytes;
  }

  readonly sendToTarget: SendCopy = (copy, room, ended) => {
    const { clock } = this.options;
    const startedMs = clock.nowMs();
    this.tally.sent += 1;
    return this.target.send(copy, room, (end) => {
      ended(this.judge(end, startedMs, clock.nowMs()));
    });
  };

  /** What is down costs no differences: it is counted, and not compared. */
  private judge(end: CopyEnd, startedMs: number, nowMs: number): CopyEnd {
    const { health, tally, options, config } = this;
    const wasDown = health.isDown;
    if ('response' in end) {
      health.responded(nowMs);
      if (wasDown) options.log.info('The target of the mirror responds again');
      return end;
    }
    tally.failed[end.failure] += 1;
    const isDifference = health.failed(startedMs, nowMs);
    if (!wasDown && health.isDown)
      options.log.warn({ failure: end.failure, host: config.target.host }, 'The target of the mirror does not respond');
    return isDifference ? end : { ...end, isOutage: true };
  }

  repeatOnSource({ isSafe }: Copy): SendCopy | undefined {
    const isChosen = isSafe && this.options.clock.random() * 100 < this.config.repeatShare;
    if (!isChosen || this.repeating >= MAX_REPEATS) return undefined;
    this.repeating += 1;
    return (copy, room, ended) => {
      let isOver = false;
      const leave = () => {
        if (!isOver) this.repeating -= 1;
        isOver = true;
      };
      try {
        const cancel = this.source.send(copy, room, (end) => (leave(), ended(end)));
        return () => (leave(), cancel());
      } catch (error) {
        leave();
        throw error;
      }
    };
  }

  dropped(why: MirrorDrop, error?: unknown): void {
    this.tally.dropped[why] += 1;
    if (why !== 'faulted' || this.hasFaulted) return;
    this.hasFaulted = true;
    this.options.log.warn({ err: error }, 'A request could not be copied; further ones are counted only');
  }

  ended(exchange: MirroredExchange): void {
    if (!exchange.responses || this.isClosed) return this.forget(exchange);
    this.compares.push(exchange);
    if (this.compares.length === 1) this.compareSoon();
  }

  /** One in each turn: requests come between two of them. */
  private compareSoon(): void {
    setImmediate(() => {
      const exchange = this.compares.shift();
      if (exchange === undefined) return;
      try {
        this.compare(exchange);
      } catch (error) {
        this.dropped('faulted', error);
      }
      this.forget(exchange);
      if (this.compares.length > 0) this.compareSoon();
    });
  }

  private compare({ copy, responses }: MirroredExchange): void {
    const { source, target, repeat } = responses!;
    if (!isOutage(target)) this.take(copy, { source, target: readResponse(target), isRepeat: false });
    if (repeat !== undefined) this.take(copy, { source, target: readResponse(repeat), isRepeat: true });
  }

  private take({ method, url }: CopyHead, pair: Omit<ResponsePair, 'route'>): void {
    const differences = compareResponses(pair, this.reading);
    const isTaken = this.options.compared({ route: { method, url }, isRepeat: pair.isRepeat, differences });
    if (!isTaken) this.tally.dropped.busy += 1;
    else if (pair.isRepeat) this.tally.repeated += 1;
    else this.tally.compared += 1;
  }

  private forget(exchange: MirroredExchange): void {
    this.underWay.delete(exchange);
    exchange.release();
  }

  /** What is under way is given up. */
  close(): void {
    this.isClosed = true;
    for (const exchange of this.compares.splice(0)) this.forget(exchange);
    for (const exchange of [...this.underWay]) exchange.drop('noResponse');
    this.target.close();
    this.source.close();
  }
}

function readResponse(end: CopyEnd): ComparedResponse | undefined {
  return 'response' in end ? end.response : undefined;
}

function isOutage(end: CopyEnd): boolean {
  return 'failure' in end && end.isOutage === true;
}

function listFields(block: FieldBlock, id: string): string[] {
  const kept = parseFields(block).filter(([name]) => !LEFT_OUT.has(name.toLowerCase()));
  return [...kept.flat(), MIRROR_HEADER, id];
}

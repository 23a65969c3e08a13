import { HttpMessage, parseRequestLine, parseStatusLine } from './http-message';
import { MessageParser } from './message-parser';
import type { Observation, TrafficStream } from './traffic-stream';
import { CapturedMessage, MESSAGE_OPCODES, MessageType, RecordedFrames, findMessages } from './websocket-part';

/** The request of an exchange, or what was to be one. */
export interface CapturedRequest {
  /** `<connectionId>.<n>`: the n-th request of its connection, from 0. */
  readonly id: string;
  readonly connectionId: string;
  readonly nodeId: string;
  readonly n: number;
  readonly message: HttpMessage;
}

export interface CapturedResponse {
  /** That of its request. */
  readonly id: string;
  readonly message: HttpMessage;
}

/** What is known of a connection, in the order in which it was seen there. */
export type CaptureEvent =
  /** All of a request was read. */
  | { readonly kind: 'request'; readonly timeMs: number; readonly request: CapturedRequest }
  /** The last byte of a response was written, or no more will be: then its message has a problem. */
  | { readonly kind: 'response'; readonly timeMs: number; readonly response: CapturedResponse }
  /** Of a WebSocket. */
  | { readonly kind: 'message'; readonly timeMs: number; readonly message: CapturedMessage }
  /** The request that came before was never forwarded: it is none. */
  | { readonly kind: 'withdrawal'; readonly timeMs: number; readonly id: string };

/**
 * A connection as the proxy of this project names it: `<nodeId>.<number>`, with `.<stream>` where streams overlap on it. Each of its
 * parts is about one request, the one after `priorRequests` others.
 */
export function parseConnectionId(
  connectionId: string,
  nodeId: string,
): { readonly connection: string; readonly isOwn: boolean } {
  const own = nodeId !== '' && connectionId.startsWith(`${nodeId}.`) ? connectionId.slice(nodeId.length + 1) : '';
  const number = /^(\d+)(?:\.\d+)?$/.exec(own)?.[1];
  return number === undefined
    ? { connection: connectionId, isOwn: false }
    : { connection: `${nodeId}.${number}`, isOwn: true };
}

/** Its proxy fills a part so far before it starts the next one. */
const FULL_PART_BYTES = 450_000;

/** What did not become an exchange. */
export interface AssemblyCounts {
  /** Parts that were there before. */
  duplicates: number;
  /** Parts that never came. */
  missing: number;
  /** Requests of which a client did not send all. */
  aborted: number;
  /** Requests that were left out on purpose when they were recorded. */
  dropped: number;
  /** Connections that were closed here because there were too many, or nothing more came of them. */
  expired: number;
  /** Bytes of responses without a request. */
  strayBytes: number;
  /** Messages of WebSockets, and their Close frames. */
  webSocketMessages: number;
}

export const noCounts = (): AssemblyCounts => ({
  duplicates: 0,
  missing: 0,
  aborted: 0,
  dropped: 0,
  expired: 0,
  strayBytes: 0,
  webSocketMessages: 0,
});

export interface AssemblyLimits {
  /** Of a request; a larger one gets a problem. */
  readonly maxRequestBytes: number;
  readonly maxResponseBytes: number;
}

interface Awaiting {
  readonly id: string;
  readonly n: number;
  readonly method: string;
  readonly timeMs: number;
}

const NO_RESPONSE = 'the connection ended before its response did';

const MESSAGE_TYPES = new Map<number, MessageType>(
  Object.entries(MESSAGE_OPCODES).map(([type, opcode]) => [opcode, type as MessageType]),
);

const toMs = (timeNs: bigint): number => Number(timeNs / 1_000n) / 1_000;

/** A response is behind its request, also where both have one time. */
const JUST_AFTER_MS = 0.001;

/** One connection, from its parts in order. */
export class ConnectionAssembly {
  private readonly requests: MessageParser;
  private readonly responses: MessageParser;
  /** Whole by its framing. It counts when it is also known that it was not dropped. */
  private pending: HttpMessage | undefined;
  private readonly awaiting: Awaiting[] = [];
  /** Responses that came before the end of their request. */
  private readonly early: HttpMessage[] = [];
  private n = 0;
  /** Of the part that is read. */
  private nodeId = '';
  private isTunnel = false;
  /** Of its WebSocket, since there was one. */
  private frames: Record<CapturedMessage['from'], RecordedFrames> | undefined;
  private lastMs = 0;
  /** Whether it was recorded by the proxy of this project: a part is about one request then. */
  private isOwn: boolean | undefined;
  /** After a gap: what is read and written belongs to requests that are unknown. */
  private isLost: { reads: boolean; writes: boolean } = { reads: false, writes: false };

  constructor(
    readonly connectionId: string,
    private readonly limits: AssemblyLimits,
    private readonly counts: AssemblyCounts,
    private readonly emit: (event: CaptureEvent) => void,
  ) {
    this.requests = new MessageParser({
      maxBytes: limits.maxRequestBytes,
      onMessage: (message) => this.onRequest(message),
    });
    this.responses = new MessageParser({
      maxBytes: limits.maxResponseBytes,
      findMethod: () => this.findMethod(),
      onMessage: (message) => this.onResponse(message),
    });
  }

  get heldBytes(): number {
    const early = this.early.reduce((sum, { raw }) => sum + raw.length, 0);
    return (
      this.requests.heldBytes + this.responses.heldBytes + (this.pending?.raw.length ?? 0) + early + this.frameBytes
    );
  }

  /** Whether something is missing that may still come. */
  get isBusy(): boolean {
    const isWithin = this.requests.isWithin || this.responses.isWithin || this.frameBytes > 0;
    return this.awaiting.length > 0 || this.pending !== undefined || isWithin;
  }

  private get frameBytes(): number {
    const { client, backend } = this.frames ?? {};
    return (client?.heldBytes ?? 0) + (backend?.heldBytes ?? 0);
  }

  add(part: TrafficStream): void {
    const { observations, nodeId, priorRequests } = part;
    this.nodeId = nodeId;
    this.isOwn ??= parseConnectionId(this.connectionId, nodeId).isOwn;
    const messages = this.isOwn ? findMessages(observations) : undefined;
    if (messages) return this.addMessages(messages, part.wasReading);
    if (!this.requests.isWithin && !this.pending) this.n = Math.max(this.n, priorRequests);
    for (const observation of observations) this.see(observation, priorRequests);
    // Only the beginning of a long response is recorded.
    const bytes = observations.reduce((sum, each) => sum + ('data' in each ? each.data.length : 0), 0);
    if (this.isOwn && this.responses.isWithin && bytes < FULL_PART_BYTES) this.responses.end();
  }

  /** @param isWithin whether it goes on within a message of the part before it */
  private addMessages(observations: readonly Observation[], isWithin: boolean): void {
    this.settle();
    this.isTunnel = true;
    const { maxRequestBytes } = this.limits;
    this.frames ??= { client: new RecordedFrames(maxRequestBytes), backend: new RecordedFrames(maxRequestBytes) };
    const { client, backend } = this.frames;
    // Of a message whose beginning is missing the end is unknown, too.
    const isLost = isWithin && this.frameBytes === 0;
    if (!isWithin) for (const frames of [client, backend]) frames.reset();
    for (const observation of observations) {
      if (observation.kind === 'close') this.end();
      else if (observation.kind === 'read' && !isLost) this.readFrames('client', observation);
      else if (observation.kind === 'write' && !isLost) this.readFrames('backend', observation);
    }
  }

  private readFrames(from: CapturedMessage['from'], observation: Observation & { readonly data: Uint8Array }): void {
    const timeMs = toMs(observation.timeNs);
    this.lastMs = Math.max(this.lastMs, timeMs);
    this.frames![from].push(observation.data, (opcode, payload) => {
      this.counts.webSocketMessages += 1;
      const { connectionId, nodeId } = this;
      const type = MESSAGE_TYPES.get(opcode) ?? 'binary';
      this.emit({ kind: 'message', timeMs, message: { connectionId, nodeId, from, type, payload } });
    });
  }

  /** Responses are in order: what there is of an earlier one is all of it. */
  private endBefore(n: number): void {
    if ((this.awaiting[0]?.n ?? n) >= n) return;
    if (this.responses.isWithin) this.responses.end();
    this.responses.reset();
    while (this.awaiting.length > 0 && this.awaiting[0]!.n < n) this.emitNone(this.awaiting.shift()!, NO_RESPONSE);
  }

  /** Parts before the next one are missing. @param wasReading whether it starts within a request */
  skip(wasReading: boolean): void {
    this.settle();
    this.requests.reset();
    this.frames = undefined;
    this.endResponses('a part of its record is missing');
    this.isLost = { reads: wasReading, writes: true };
  }

  private see(observation: Observation, priorRequests: number): void {
    const timeMs = toMs(observation.timeNs);
    this.lastMs = Math.max(this.lastMs, timeMs);
    switch (observation.kind) {
      case 'read':
      case 'readSegment':
        return this.read(observation.data, timeMs);
      case 'write':
      case 'writeSegment':
        return this.write(observation.data, timeMs, priorRequests);
      case 'endOfMessage':
        return this.endMessage();
      case 'dropped':
        return this.drop(priorRequests);
      case 'close':
      case 'disconnect':
      case 'exception':
        return this.end();
      case 'bind':
      case 'connect':
      case 'released':
      case 'segmentEnd':
        return undefined;
    }
  }

  private read(data: Uint8Array, timeMs: number): void {
    if (this.isTunnel || this.isLost.reads) return;
    if (data.length > 0) this.settle();
    this.requests.push(data, timeMs);
  }

  private drop(priorRequests: number): void {
    this.counts.dropped += 1;
    const isWithin = this.pending !== undefined || this.requests.isWithin;
    this.pending = undefined;
    this.requests.reset();
    if (isWithin) return;
    const at = this.awaiting.findLastIndex(({ n }) => !this.isOwn || n === priorRequests);
    if (at >= 0) this.emit({ kind: 'withdrawal', timeMs: this.lastMs, id: this.awaiting.splice(at, 1)[0]!.id });
  }

  private endMessage(): void {
    if (this.isLost.reads) {
      this.isLost.reads = false;
      return this.requests.reset();
    }
    if (this.pending) {
      this.requests.endSkipped();
      return this.settle();
    }
    // Its recorder saw the end: what is missing was cut.
    this.requests.end();
    this.settle();
  }

  private write(data: Uint8Array, timeMs: number, priorRequests: number): void {
    if (this.isTunnel) return;
    this.settle();
    if (this.isOwn) this.endBefore(priorRequests);
    if (this.awaiting.length === 0 && !this.requests.isWithin && !this.responses.isWithin) {
      this.counts.strayBytes += data.length;
      return;
    }
    if (this.isLost.writes) {
      this.counts.strayBytes += data.length;
      return;
    }
    this.responses.push(data, timeMs);
  }

  private onRequest(message: HttpMessage): void {
    this.settle();
    this.pending = message;
  }

  /** What is whole counts. */
  private settle(): void {
    const message = this.pending;
    if (!message) return;
    this.pending = undefined;
    this.isLost.writes = false;
    const id = `${this.connectionId}.${this.n}`;
    const { connectionId, nodeId, n } = this;
    this.n += 1;
    this.emit({ kind: 'request', timeMs: message.lastByteMs, request: { id, connectionId, nodeId, n, message } });
    const early = this.early.shift();
    const request = { id, n, method: parseRequestLine(message.startLine)?.method ?? '', timeMs: message.lastByteMs };
    if (early) this.emitResponse(request, early);
    else this.awaiting.push(request);
  }

  private findMethod(): string | undefined {
    return this.awaiting[0]?.method ?? parseRequestLine(this.requests.startLine ?? '')?.method;
  }

  private onResponse(message: HttpMessage): void {
    const status = parseStatusLine(message.startLine)?.status ?? 0;
    const method = this.findMethod();
    if (status === 101 || (method === 'CONNECT' && status >= 200 && status < 300)) this.isTunnel = true;
    const request = this.awaiting.shift();
    if (request) this.emitResponse(request, message);
    else if (this.requests.isWithin) this.early.push(message);
    else this.counts.strayBytes += message.raw.length;
  }

  private emitResponse({ id, timeMs }: Awaiting, message: HttpMessage): void {
    const endMs = Math.max(message.lastByteMs, timeMs + JUST_AFTER_MS);
    this.emit({ kind: 'response', timeMs: endMs, response: { id, message } });
  }

  /** No more of it will come. */
  end(): void {
    this.settle();
    if (this.requests.isWithin) this.counts.aborted += 1;
    this.requests.reset();
    this.frames = undefined;
    this.endResponses(NO_RESPONSE);
  }

  private endResponses(problem: string): void {
    if (this.responses.isWithin) this.responses.end();
    this.responses.reset();
    this.early.length = 0;
    for (const request of this.awaiting.splice(0)) this.emitNone(request, problem);
  }

  private emitNone(request: Awaiting, problem: string): void {
    const none = {
      raw: new Uint8Array(0),
      headBytes: 0,
      startLine: '',
      headers: [],
      framing: { kind: 'none' },
    } as const;
    this.emitResponse(request, { ...none, firstByteMs: this.lastMs, lastByteMs: this.lastMs, problem });
  }
}

import { STATUS_CODES } from 'node:http';
import { CapturedBody, formatBody, formatHead } from '../../core/capture/message';
import { Redaction, redactFields, redactJson } from '../../core/capture/redaction';
import { isSafeMethod } from '../../core/traffic/safe-methods';
import type { Observation } from '../../core/capture/traffic-stream';
import type { CaptureRecord } from '../../capture/contract/store';
import type {
  MessageRecording,
  RecordedRequest,
  RecordedResponse,
  Recording,
  Response,
} from '../data-plane/contract/data-plane';
import type { FieldBlock } from '../data-plane/contract/streams';
import { listValues } from '../data-plane/fields/lines';
import type { Trace } from './trace';

/** What a recording needs of the capture of its process. */
export interface RecordingHome {
  readonly redaction: Redaction;
  readonly bodyBytes: number;
  readonly wallClock: { readonly nowNs: bigint };
  readonly counts: { recorded: number; unrecorded: number; lost: number };
  /** Whether a request that cannot be recorded is rejected; otherwise it is forwarded. */
  readonly rejects: boolean;
  /** Counts one that is rejected. */
  reject(why: 'full'): Response;
  hold(bytes: number): boolean;
  free(bytes: number): void;
  append(record: CaptureRecord, durable?: () => void): void;
  commit(records: readonly CaptureRecord[], settled: (outcome: Committed) => void): void;
  /** Undefined where messages are not recorded. */
  followMessages(trace: Trace, fields: FieldBlock): MessageRecording | undefined;
}

export interface Committed {
  /** Of the request: `unknown` may be durable, or become so; there is `none` that could. */
  readonly record: 'durable' | 'unknown' | 'none';
  /** Undefined: it is forwarded. */
  readonly rejection: Response | undefined;
}

/** `request`: it is received. `waiting`: it is not durable yet. `refused`: it was not forwarded. `forwarded`: its response is due. */
type RecordingState = 'request' | 'waiting' | 'refused' | 'forwarded' | 'ended';

/** A message that is received. */
interface Draft {
  readonly startNs: bigint;
  readonly startLine: string;
  readonly fields: FieldBlock;
  readonly bodyLength: number;
  readonly statedLength: number | undefined;
  readonly pieces: Buffer[];
  bytes: number;
  trailers: FieldBlock;
  /** When its last byte had come, or was given to the client. */
  endNs: bigint | undefined;
  isEnded: boolean;
  isCut: boolean;
}

/** Writes one exchange down as messages of HTTP/1.1: the request first where it has to be durable, and with its response otherwise. */
export class ExchangeRecording implements Recording {
  readonly isAwaited: boolean;
  private state: RecordingState = 'request';
  private readonly request: Draft;
  private response: Draft | undefined;
  private readonly number: number;
  private isRequestWritten = false;
  /** There is no room for its body. */
  private isRejected = false;

  constructor(
    private readonly home: RecordingHome,
    head: RecordedRequest,
    private readonly trace: Trace,
  ) {
    const isSafe = isSafeMethod(head.method);
    this.isAwaited = !isSafe && !head.isGrpc && !head.isUpgrade;
    // A call of gRPC may be a stream, which has no end to wait for.
    if (!isSafe && !this.isAwaited) home.counts.unrecorded += 1;
    this.number = trace.requests;
    trace.requests += 1;
    const { bodyLength } = head;
    // Without it the record would be of a request that asks for no other protocol.
    const upgrade = head.upgrade === undefined ? '' : `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n`;
    const fields = head.block(undefined) + upgrade;
    this.request = this.draft(`${head.method} ${head.url} HTTP/1.1`, fields, bodyLength, bodyLength);
  }

  private draft(startLine: string, fields: FieldBlock, bodyLength: number, stated: number | undefined): Draft {
    const statedLength = stated !== undefined && stated > 0 ? stated : undefined;
    const started = { startNs: this.home.wallClock.nowNs, startLine, fields, bodyLength, statedLength };
    return { ...started, pieces: [], bytes: 0, trailers: '', endNs: undefined, isEnded: false, isCut: false };
  }

  requestReceived(bytes: Buffer): boolean {
    const { request, home } = this;
    if (this.state === 'forwarded' || this.isRejected) return true;
    const isTooLong = request.bytes + bytes.length > home.bodyBytes;
    if (this.keep(request, bytes) || !this.isAwaited) return true;
    if (!isTooLong && home.rejects) {
      // No more of it is kept: it will not be forwarded.
      this.isRejected = true;
      this.release(request);
      return true;
    }
    // What the upstream must get is complete, whatever the record is.
    request.pieces.push(Buffer.from(bytes));
    home.counts.unrecorded += 1;
    this.state = 'forwarded';
    return false;
  }

  private keep(draft: Draft, bytes: Buffer): boolean {
    if (draft.isCut) return false;
    if (draft.bytes + bytes.length > this.home.bodyBytes || !this.home.hold(bytes.length)) {
      draft.isCut = true;
      return false;
    }
    draft.bytes += bytes.length;
    draft.pieces.push(Buffer.from(bytes));
    return true;
  }

  requestEnded(trailers: FieldBlock): void {
    this.request.trailers = trailers;
    this.request.isEnded = true;
  }

  commit(done: (rejection: Response | undefined) => void): void {
    this.state = 'waiting';
    this.request.isEnded = true;
    if (this.isRejected) {
      this.state = 'refused';
      return queueMicrotask(() => done(this.home.reject('full')));
    }
    const records = this.write(this.describeRequest());
    this.isRequestWritten = true;
    // It cannot be hidden what must be, so that it cannot be recorded either.
    if (this.request.isCut) this.home.counts.unrecorded += 1;
    this.home.commit(records, ({ rejection, record }) => {
      const hasLeft = this.state !== 'waiting';
      if (!hasLeft) this.state = rejection === undefined ? 'forwarded' : 'refused';
      const isForwarded = !hasLeft && rejection === undefined;
      if (!isForwarded && record !== 'none') this.drop();
      if (!hasLeft) done(rejection);
    });
  }

  takeBody(): readonly Buffer[] {
    const pieces = [...this.request.pieces];
    this.release(this.request);
    return pieces;
  }

  responseStarted({ status, reason, fields, bodyLength, statedLength }: RecordedResponse): void {
    const phrase = reason === '' ? (STATUS_CODES[status] ?? '') : reason;
    this.response = this.draft(`HTTP/1.1 ${status} ${phrase}`, fields, bodyLength, statedLength ?? bodyLength);
  }

  responseReceived(bytes: Buffer): void {
    const { response, home } = this;
    if (response === undefined || this.keep(response, bytes)) return;
    // Of a long one its beginning is of use.
    const room = home.bodyBytes - response.bytes;
    if (room > 0 && home.hold(room)) {
      response.bytes += room;
      response.pieces.push(Buffer.from(bytes.subarray(0, room)));
    }
  }

  responseEnded(trailers: FieldBlock): void {
    if (this.response === undefined) return;
    this.response.trailers = trailers;
    this.end(this.response);
  }

  responded(status: number): void {
    if (this.state === 'refused' || this.response !== undefined) return;
    this.response = this.draft(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, 'Content-Length: 0\r\n', 0, 0);
    this.end(this.response);
  }

  followMessages(fields: FieldBlock): MessageRecording | undefined {
    return this.home.followMessages(this.trace, fields);
  }

  /** Its client cannot have seen the end of it before: a request that it sends then has a later time. */
  private end(response: Draft): void {
    response.isEnded = true;
    response.endNs = this.home.wallClock.nowNs;
  }

  ended(): void {
    const { state, request, response } = this;
    this.state = 'ended';
    // Whether it is durable is not known yet; then it is dropped.
    if (state === 'waiting' || state === 'refused') return this.release(request);
    if (request.bodyLength === 0) request.isEnded = true;
    const observations: Observation[] = this.isRequestWritten ? [] : this.describeRequest();
    if (response !== undefined) observations.push(...this.describeResponse(response));
    const records = observations.length === 0 ? [] : this.write(observations);
    // One that was awaited has been counted.
    const written = this.isAwaited ? undefined : () => (this.home.counts.recorded += 1);
    const last = records.length - 1;
    records.forEach((record, at) => this.home.append(record, at === last ? written : undefined));
    this.release(request);
    if (response) this.release(response);
  }

  /** Says that the request was never forwarded. */
  private drop(): void {
    const dropped: Observation = { timeNs: this.home.wallClock.nowNs, kind: 'dropped' };
    for (const record of this.write([dropped])) this.home.append(record);
  }

  private release(draft: Draft): void {
    this.home.free(draft.bytes);
    draft.bytes = 0;
    draft.pieces.length = 0;
  }

  private describeRequest(): Observation[] {
    const { request } = this;
    const { head, body } = this.seal(request);
    const endNs = this.home.wallClock.nowNs;
    const reads: Observation[] = [
      { timeNs: request.startNs, kind: 'read', data: head },
      ...body.map((data): Observation => ({ timeNs: endNs, kind: 'read', data })),
    ];
    // Without its end it is no request that could be sent again.
    if (!request.isEnded || request.isCut) return [...reads, { timeNs: endNs, kind: 'dropped' }];
    const firstLineBytes = Buffer.byteLength(request.startLine, 'latin1') + 2;
    const headersBytes = head.length - firstLineBytes;
    return [...reads, { timeNs: endNs, kind: 'endOfMessage', firstLineBytes, headersBytes }];
  }

  private describeResponse(response: Draft): Observation[] {
    const { head, body } = this.seal(response);
    const endNs = response.endNs ?? this.home.wallClock.nowNs;
    return [
      { timeNs: response.startNs, kind: 'write', data: head },
      ...body.map((data): Observation => ({ timeNs: endNs, kind: 'write', data })),
    ];
  }

  /** The bytes of a message, with what is to be hidden in it hidden. */
  private seal(draft: Draft): { readonly head: Buffer; readonly body: readonly Uint8Array[] } {
    const { redaction } = this.home;
    const hidden = this.hideInBody(draft);
    if (hidden === undefined) draft.isCut = true;
    const pieces = hidden ?? [];
    const body: CapturedBody = {
      pieces,
      framing: draft.bodyLength === -1 ? 'chunked' : 'length',
      trailers: redactFields(draft.trailers, redaction),
      isWhole: draft.isEnded && !draft.isCut,
    };
    const isChanged = pieces !== draft.pieces && hidden !== undefined;
    const length = isChanged ? pieces.reduce((sum, piece) => sum + piece.length, 0) : draft.statedLength;
    const fields = redactFields(draft.fields, redaction);
    const head = formatHead(draft.startLine, fields, { framing: body.framing, length });
    return { head: Buffer.from(head, 'latin1'), body: formatBody(body) };
  }

  /** @returns undefined where it cannot be read, so that none of it may be recorded */
  private hideInBody({ pieces, fields, isEnded, isCut }: Draft): readonly Buffer[] | undefined {
    const { redaction } = this.home;
    if (redaction.pointers.length === 0 || pieces.length === 0 || !isJson(fields)) return pieces;
    const text = isEnded && !isCut ? Buffer.concat(pieces).toString() : '';
    const hidden = redactJson(text, redaction);
    if (hidden === undefined) return undefined;
    return hidden === text ? pieces : [Buffer.from(hidden)];
  }

  private write(observations: readonly Observation[]): CaptureRecord[] {
    return this.trace.write(observations, this.number);
  }
}

function isJson(fields: FieldBlock): boolean {
  return listValues(fields, 'content-type').some((type) => /^[^;]*[/+]json\b/i.test(type));
}

import { decodeBody } from '../compare/decode';
import type { CompareOptions } from '../core/compare/options';
import type { ComparedResponse } from '../core/compare/response';
import { ResponseComparison } from '../core/compare/response-comparison';
import { HttpMessage, parseRequestLine, parseStatusLine, readBody } from '../core/capture/http-message';
import { isSafeMethod } from '../core/traffic/safe-methods';
import type { OutgoingRequest } from '../core/replay/outgoing';
import type { Replayed, TargetResponse } from '../core/replay/tuple';
import type { ReplaySink } from './results';
import type { Sender } from './send';

/** More are not repeated at a time: the source has its own traffic. */
const MAX_REPEATS = 4;

/** Sends some safe requests to the source once more: what differs then is noise. */
export interface RepeatOptions {
  readonly sender: Sender;
  /** From 0 to 1. */
  readonly share: number;
  /** Makes of a recorded request what is sent to the source. */
  readonly build: (replayed: Replayed) => OutgoingRequest;
}

/** Compares what the target responded with what was recorded. */
export class CompareSink implements ReplaySink {
  readonly comparison: ResponseComparison;
  private owed = 0;
  private repeating = 0;
  private readonly repeats = new Set<Promise<void>>();

  constructor(
    options: Partial<CompareOptions>,
    private readonly repeat: RepeatOptions | undefined,
    private readonly signal: AbortSignal,
  ) {
    this.comparison = new ResponseComparison(options, decodeBody);
  }

  take(replayed: Replayed): void {
    const { request, response, targetResponses, parked } = replayed;
    // Without a recorded response there is nothing to compare with.
    if (!response || response.headBytes === 0 || !parseStatusLine(response.startLine)) return;
    const { method = '', target: url = '' } = parseRequestLine(request.startLine) ?? {};
    const source = describeRecorded(response);
    const last = targetResponses.at(-1);
    const target = parked !== undefined || !last ? undefined : describeTarget(last);
    this.comparison.add({ route: { method, url }, source, target, isRepeat: false });
    if (this.repeat && isSafeMethod(method)) this.maybeRepeat(replayed, this.repeat, { method, url }, source);
  }

  private maybeRepeat(
    replayed: Replayed,
    { sender, share, build }: RepeatOptions,
    route: { readonly method: string; readonly url: string },
    source: ComparedResponse,
  ): void {
    this.owed += share;
    if (this.owed < 1 || this.repeating >= MAX_REPEATS || this.signal.aborted) return;
    this.owed -= 1;
    this.repeating += 1;
    const work = sender
      .send(build(replayed), this.signal)
      .then(({ response }) => {
        // What was stopped says nothing. No response does: a source that fails now and then is noise, and no fault of the target.
        if (this.signal.aborted) return;
        this.comparison.add({ route, source, target: response && describeTarget(response), isRepeat: true });
      })
      .finally(() => {
        this.repeating -= 1;
        this.repeats.delete(work);
      });
    this.repeats.add(work);
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.repeats);
    this.comparison.finish();
  }
}

export function describeRecorded(message: HttpMessage): ComparedResponse {
  const status = parseStatusLine(message.startLine)?.status ?? 0;
  const isBodyCut = message.problem !== undefined;
  return { status, fields: message.headers, body: readBody(message), ...(isBodyCut && { isBodyCut }) };
}

export function describeTarget({ status, headers, body, isCut }: TargetResponse): ComparedResponse {
  return { status, fields: headers, body, ...(isCut && { isBodyCut: true }) };
}

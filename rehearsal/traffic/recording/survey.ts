import { openFileSource } from '../../../capture/folder/file-source';
import { EventStream } from '../../../capture/read/event-stream';
import { readParts } from '../../../capture/read/part-merge';
import { parseRequestLine } from '../../../core/capture/http-message';
import type { CapturedRequest } from '../../../core/capture/connection-assembly';
import { opensTunnel } from '../../../core/replay/outgoing';

/** What is in a recording. */
export interface RecordingSurvey {
  /** That can be sent again. */
  readonly requests: number;
  /** That cannot: WebSockets and other tunnels, event streams, requests that are not whole. */
  readonly leftOut: number;
  /** From the first request to the last one, and at least one. */
  readonly seconds: number;
}

/** Records of one moment may be so far apart. */
const WINDOW_MS = 10_000;
const MAX_HELD_BYTES = 64 * 1_048_576;

/** The requests and responses of a recording by their time, read once. @throws Error that says why it cannot be read */
export async function openRecording(path: string, signal: AbortSignal): Promise<EventStream> {
  return new EventStream(readParts(await openFileSource(path)), {
    ...{ signal, follow: false, windowMs: WINDOW_MS, maxBytes: MAX_HELD_BYTES },
    warn: () => undefined,
  });
}

/**
 * Reads all of it once: what is damaged is found before anything has started.
 *
 * @throws Error that names the file, the rule and the value, the signal's reason
 */
export async function surveyRecording(path: string, signal: AbortSignal): Promise<RecordingSurvey> {
  let [requests, leftOut, firstMs, lastMs] = [0, 0, Infinity, -Infinity];
  for await (const events of (await openRecording(path, signal)).read()) {
    for (const event of events) {
      if (event.kind !== 'request') continue;
      const { message } = event.request;
      if (!canBeSent(event.request)) leftOut += 1;
      else requests += 1;
      firstMs = Math.min(firstMs, message.firstByteMs);
      lastMs = Math.max(lastMs, message.firstByteMs);
    }
  }
  signal.throwIfAborted();
  return { requests, leftOut, seconds: Math.max(1, (lastMs - firstMs) / 1_000) };
}

/** A client of a tunnel or of an event stream has more to do than to send one request and to read its response. */
export function canBeSent(request: CapturedRequest): boolean {
  const { message } = request;
  if (message.problem !== undefined || !parseRequestLine(message.startLine) || opensTunnel(request)) return false;
  return !message.headers.some(([name, value]) => /^accept$/i.test(name) && /text\/event-stream/i.test(value));
}

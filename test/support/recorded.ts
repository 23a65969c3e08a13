import { CaptureAssembler, DEFAULT_ASSEMBLER_LIMITS } from '../../core/capture/capture-assembler';
import type { CaptureEvent, CapturedRequest, CapturedResponse } from '../../core/capture/connection-assembly';
import type { Observation, Seen, TrafficStream } from '../../core/capture/traffic-stream';

export const T0 = 1_790_000_000_000;

/** Something seen, so many milliseconds after {@link T0}. */
export const at = (ms: number, seen: Seen): Observation => ({
  timeNs: BigInt(T0) * 1_000_000n + BigInt(Math.round(ms * 1e6)),
  ...seen,
});

export const read = (ms: number, data: string): Observation =>
  at(ms, { kind: 'read', data: Buffer.from(data, 'latin1') });
export const write = (ms: number, data: string): Observation =>
  at(ms, { kind: 'write', data: Buffer.from(data, 'latin1') });
export const eom = (ms: number): Observation => at(ms, { kind: 'endOfMessage', firstLineBytes: 0, headersBytes: 0 });
export const close = (ms: number): Observation => at(ms, { kind: 'close' });

export function part(
  index: number,
  observations: readonly Observation[],
  rest: Partial<TrafficStream> = {},
): TrafficStream {
  const base = { connectionId: 'c', nodeId: 'n', priorRequests: 0, wasReading: false, isLast: false };
  return { ...base, index, observations, ...rest };
}

export interface Assembled {
  readonly events: readonly CaptureEvent[];
  readonly requests: readonly CapturedRequest[];
  readonly responses: ReadonlyMap<string, CapturedResponse>;
  readonly assembler: CaptureAssembler;
}

/** What becomes of parts, each a second of recorded time after the one before it. */
export function assemble(parts: readonly TrafficStream[], limits = {}): Assembled {
  const events: CaptureEvent[] = [];
  const assembler = new CaptureAssembler((event) => events.push(event), { ...DEFAULT_ASSEMBLER_LIMITS, ...limits });
  for (const [n, each] of parts.entries()) {
    assembler.add(each, T0 + n * 1_000);
    assembler.advance(T0 + n * 1_000);
  }
  assembler.end();
  const requests = events.flatMap((event) => (event.kind === 'request' ? [event.request] : []));
  const responses = new Map(
    events.flatMap((event) => (event.kind === 'response' ? [[event.response.id, event.response] as const] : [])),
  );
  return { events, requests, responses, assembler };
}

/** What one exchange of a made-up recording is; times in milliseconds since {@link T0}. */
export interface MadeExchange {
  readonly connection: string;
  readonly n: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly request: string;
  readonly response: string;
}

/** Parts as the proxy writes them: a request when it was read, its response when it was written; by these times. */
export function partsOf(exchanges: readonly MadeExchange[], nodeId = 'n'): TrafficStream[] {
  const timed = exchanges.flatMap(({ connection, n, startMs, endMs, request, response }) => {
    const rest = { connectionId: connection, nodeId, priorRequests: n };
    return [
      { timeMs: startMs, stream: part(2 * n, [read(startMs, request), eom(startMs)], rest) },
      { timeMs: endMs, stream: part(2 * n + 1, [write(endMs, response)], rest) },
    ];
  });
  return timed.sort((a, b) => a.timeMs - b.timeMs).map(({ stream }) => stream);
}

export const put = (path: string, body: string, host = 'source'): string =>
  `PUT ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
export const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: source\r\n\r\n`;
export const ok = (body: string): string =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

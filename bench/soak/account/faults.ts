/** How a request ended, seen by its client. */
export type Outcome =
  /** The whole, right response. */
  | 'right'
  /** 502; gRPC status 14. */
  | 'badGateway'
  | 'gatewayTimeout'
  /** 503 with `Retry-After`. */
  | 'retryLater'
  /** Not looked at, and its client knows: the response before it said `Connection: close`, or its stream was rejected. */
  | 'unserved'
  /** The connection ended before the response did. */
  | 'cut'
  /** A response that was not this request's: never allowed. */
  | 'wrong'
  /** Nothing for `SILENCE_MS`: never allowed. */
  | 'silent';

/** Longer than every time limit that the proxy is started with, and every slow response. */
export const SILENCE_MS = 20_000;

/** What the upstream does to a request on whose path the fault is named, and how that may look to the client. */
export const FAULTS = {
  reset: { does: 'resets the connection without a response', allowed: ['badGateway'] },
  close: { does: 'ends the connection without a response', allowed: ['badGateway'] },
  garbage: { does: 'responds with bytes that are not HTTP', allowed: ['badGateway'] },
  'two-lengths': { does: 'responds with two different Content-Length fields', allowed: ['badGateway'] },
  stall: { does: 'never responds', allowed: ['gatewayTimeout'] },
  'reset-inside': { does: 'resets in the middle of the body', allowed: ['cut', 'badGateway'] },
  truncate: { does: 'ends before the Content-Length it gave', allowed: ['cut', 'badGateway'] },
  'truncate-chunked': { does: 'ends before the last chunk', allowed: ['cut', 'badGateway'] },
  'stall-inside': { does: 'stops in the middle of the body', allowed: ['cut', 'gatewayTimeout'] },
  overlong: { does: 'sends more than the Content-Length it gave', allowed: ['right', 'badGateway'] },
  trickle: { does: 'responds slowly', allowed: ['right'] },
  interim: { does: 'sends 103 before the response', allowed: ['right'] },
  'no-length': { does: 'marks the end of the body by the end of the connection', allowed: ['right'] },
} as const satisfies Record<string, { does: string; allowed: readonly Outcome[] }>;

export type Fault = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as Fault[];

/** Killed, stopped or coming back: whatever overlaps such a time may fail, in every way but a wrong or no response. */
export const OUTAGE_ALLOWED: readonly Outcome[] = ['badGateway', 'gatewayTimeout', 'retryLater', 'unserved', 'cut'];

/** The upstream's paths. `id` makes each body another one, so that a swapped response shows. */
export const formatPath = {
  get: (id: number, bytes: number) => `/ok/${bytes}/${id}`,
  fault: (fault: Fault, id: number, bytes: number) => `/${fault}/${bytes}/${id}`,
  post: () => '/post',
  events: (count: number, id: number) => `/events/${count}/${id}`,
  /** The upstream resets after `messages` of them. */
  webSocket: (messages: number) => `/ws/${messages}/0`,
};

/** The body of `/ok/BYTES/ID`. */
export function buildPattern(id: number | string, bytes: number): Buffer {
  return Buffer.alloc(bytes, `${id};`);
}

import type { TrafficTally } from './tally';

/** What of an application a client of the rehearsal can use. */
interface Kind {
  /** How often it did with a good response. */
  readonly right: (tally: TrafficTally) => number;
  /** How often it tried. */
  readonly tried: (tally: TrafficTally) => number;
}

const KINDS: Readonly<Record<string, Kind>> = {
  'GET requests': { right: ({ http }) => http.right.reads, tried: ({ http }) => http.tried.reads },
  uploads: { right: ({ http }) => http.right.uploads, tried: ({ http }) => http.tried.uploads },
  sessions: { right: ({ http }) => http.right.sessions, tried: ({ http }) => http.tried.sessions },
  WebSockets: {
    right: ({ websocket }) => websocket.received,
    tried: ({ websocket: { opened, dropped } }) => opened + dropped,
  },
  'event streams': {
    right: ({ serverSentEvents }) => serverSentEvents.events,
    tried: ({ serverSentEvents: { opened, dropped } }) => opened + dropped,
  },
  'streaming responses': { right: ({ streaming }) => streaming.whole, tried: ({ streaming }) => streaming.asked },
  gRPC: { right: () => 0, tried: () => 0 },
};

/** The kinds of traffic of which a rehearsal can say nothing, because no client had any. */
export function untried(tally: TrafficTally): string[] {
  const { expectedErrors } = tally.http.right;
  const kinds = listWithout(tally, (tried) => tried === 0);
  if (tally.http.right.reads > 0 || expectedErrors === 0) return kinds;
  const what = `GET requests (all ${expectedErrors.toLocaleString('en-US')} responses were the errors that the plan expects)`;
  return [what, ...kinds.filter((name) => name !== 'GET requests')];
}

/** The kinds that clients had, and never got a good response of. */
export function neverRight(tally: TrafficTally): string[] {
  return listWithout(tally, (tried) => tried > 0);
}

function listWithout(tally: TrafficTally, holds: (tried: number) => boolean): string[] {
  return Object.entries(KINDS)
    .filter(([, { right, tried }]) => right(tally) === 0 && holds(tried(tally)))
    .map(([name]) => name);
}

import type { TrafficTally } from './tally';

/** What of an application a client of the rehearsal can use, each with how often it did with a good response. */
const KINDS: Readonly<Record<string, (tally: TrafficTally) => number>> = {
  'GET requests': ({ http }) => http.right.reads,
  uploads: ({ http }) => http.right.uploads,
  sessions: ({ http }) => http.right.sessions,
  WebSockets: ({ websocket }) => websocket.received,
  'event streams': ({ serverSentEvents }) => serverSentEvents.events,
  'streaming responses': ({ streaming }) => streaming.whole,
  gRPC: () => 0,
};

/** The kinds of traffic of which a rehearsal can say nothing, because none of it was seen to work. */
export function untried(tally: TrafficTally): string[] {
  const { expectedErrors } = tally.http.right;
  const kinds = Object.entries(KINDS)
    .filter(([, used]) => used(tally) === 0)
    .map(([name]) => name);
  if (tally.http.right.reads > 0 || expectedErrors === 0) return kinds;
  const what = `GET requests (all ${expectedErrors.toLocaleString('en-US')} responses were the errors that the plan expects)`;
  return [what, ...kinds.filter((name) => name !== 'GET requests')];
}

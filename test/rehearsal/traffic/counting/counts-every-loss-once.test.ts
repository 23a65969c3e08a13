import { TrafficTally, nothingLost } from '../../../../rehearsal/traffic/counting/tally';

const RIGHT = { reads: 60, uploads: 20, sessions: 20, writes: 0, expectedErrors: 0 };
const right: TrafficTally = {
  http: {
    clients: 5,
    sent: 100,
    ok: 100,
    failed: 0,
    retried: 1,
    unsent: 0,
    right: RIGHT,
    tried: RIGHT,
    p50Ms: 1,
    p99Ms: 2,
    longestStallMs: 3,
  },
  websocket: {
    clients: 3,
    opened: 4,
    sent: 50,
    received: 50,
    lost: 0,
    duplicated: 0,
    outOfOrder: 0,
    refused: 2,
    closedCleanly: 4,
    closedByServer: 0,
    dropped: 0,
    longestGapMs: 300,
    longestStallMs: 40,
  },
  serverSentEvents: {
    clients: 2,
    opened: 3,
    events: 40,
    lost: 0,
    duplicated: 0,
    refused: 1,
    endedCleanly: 3,
    endedByServer: 0,
    dropped: 0,
    longestGapMs: 600,
  },
  streaming: {
    clients: 2,
    asked: 20,
    whole: 20,
    cut: 0,
    truncated: 0,
    wrong: 0,
    refused: 1,
    events: 340,
    longestGapMs: 60,
  },
  machine: { minShare: 1, notTried: 0, standstillMs: 0 },
  failures: [],
};
const NOTHING = {
  http: { clients: 0, sent: 0, ok: 0 },
  websocket: { clients: 0, opened: 0, sent: 0, received: 0, closedCleanly: 0 },
  serverSentEvents: { clients: 0, opened: 0, events: 0, endedCleanly: 0 },
  streaming: { clients: 0, asked: 0, whole: 0, events: 0 },
};
type Change = {
  readonly [Kind in 'http' | 'websocket' | 'serverSentEvents' | 'streaming']?: Partial<TrafficTally[Kind]>;
} & { readonly failures?: readonly string[] };

const changed = ({ http, websocket, serverSentEvents, streaming, failures }: Change): TrafficTally => ({
  http: { ...right.http, ...http },
  websocket: { ...right.websocket, ...websocket },
  serverSentEvents: { ...right.serverSentEvents, ...serverSentEvents },
  streaming: { ...right.streaming, ...streaming },
  failures: failures ?? right.failures,
  machine: right.machine,
});

test('nothing is lost when all is well, retries and rejections included', () => {
  expect(nothingLost(right)).toBe(true);
});

test.each(['http', 'websocket', 'serverSentEvents', 'streaming'] as const)(
  'nothing of %s is lost where none was asked for, and all of it where it was',
  (kind) => {
    expect(nothingLost(changed({ [kind]: NOTHING[kind] }))).toBe(true);
    expect(nothingLost(changed({ [kind]: { ...NOTHING[kind], clients: 1 } }))).toBe(false);
  },
);

test('a stream of a scenario may have no event, and must be open', () => {
  const quiet = { ...changed({ serverSentEvents: { events: 0 } }), entries: [] };
  expect(nothingLost(quiet)).toBe(true);
  expect(nothingLost({ ...quiet, serverSentEvents: { ...quiet.serverSentEvents, opened: 0 } })).toBe(false);
});

test.each<Change>([
  { http: { failed: 1 } },
  { http: { sent: 101 } },
  { websocket: { lost: 1 } },
  { websocket: { duplicated: 1 } },
  { websocket: { outOfOrder: 1 } },
  { websocket: { sent: 51 } },
  { websocket: { dropped: 1 } },
  { websocket: { opened: 5 } },
  { websocket: { opened: 5, dropped: 1 } },
  { serverSentEvents: { lost: 1 } },
  { serverSentEvents: { duplicated: 1 } },
  { serverSentEvents: { events: 0 } },
  { serverSentEvents: { dropped: 1 } },
  { serverSentEvents: { opened: 4 } },
  { streaming: { cut: 1 } },
  { streaming: { truncated: 1 } },
  { streaming: { wrong: 1 } },
  { streaming: { asked: 21 } },
  { failures: ['2026-01-01T00:00:00.000Z websocket: something'] },
])('something is lost with %j', (change) => {
  expect(nothingLost(changed(change))).toBe(false);
});

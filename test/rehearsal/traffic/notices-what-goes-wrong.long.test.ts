import { ServerResponse } from 'node:http';
import { WebSocket } from 'ws';
import { Running, startBackend } from '../../../rehearsal/backend/backend';
import { startStore } from '../../../rehearsal/backend/store';
import type { TrafficRates } from '../../../rehearsal/traffic/options';
import { TrafficSnapshot, TrafficTally, nothingLost } from '../../../rehearsal/traffic/counting/tally';
import { startTraffic } from '../../../rehearsal/traffic/traffic';
import { afterwards } from '../backend/afterwards';
import { until } from '../../support/until';
import { Faults, startFront } from './front';

const stopLater = afterwards();
let store: Running;
let backend: Running;

beforeAll(async () => {
  store = await startStore();
  backend = await startBackend({ side: 'source', storeUrl: store.url });
});
afterAll(() => Promise.all([backend.stop(), store.stop()]));

const SILENT: TrafficRates = {
  shop: 0,
  keepAlive: 0,
  newConnection: 0,
  http2: 0,
  echo: 0,
  writes: 0,
  webSockets: 0,
  messagesPerSecondEach: 20,
  eventStreams: 0,
  chats: 0,
};

/** Runs traffic against a faulty front until `seen`, and for a while longer. */
async function findTally(
  rates: Partial<TrafficRates>,
  faults: Faults,
  seen: (so: TrafficSnapshot) => boolean,
): Promise<TrafficTally> {
  const front = stopLater(await startFront(backend.url, faults));
  const traffic = stopLater(
    await startTraffic({ ...front.options, rates: { ...SILENT, ...rates }, lastResponsesMs: 2_000 }),
  );
  await until(() => {
    const snapshot = traffic.snapshot();
    return snapshot !== undefined && seen(snapshot);
  });
  const tally = await traffic.stop();
  expect(nothingLost(tally)).toBe(false);
  expect(Date.parse(tally.firstBadResponseAt ?? '')).not.toBeNaN();
  return tally;
}

/** True for one call in `every`. */
function oneIn(every: number): () => boolean {
  let calls = 0;
  return () => ++calls % every === 0;
}

/** Acts on the message `n` of the first client that sends it, once. */
function once(n: number): (message: string) => boolean {
  let done = false;
  return (message) => {
    if (done || (JSON.parse(message) as { n: number }).n !== n) return false;
    return (done = true);
  };
}

describe('WebSocket', () => {
  const three = { webSockets: 3 };
  const sent = (count: number) => (so: TrafficSnapshot) => so.websocket.sent >= count;

  test('one message in 50 that never arrives is lost, each one counted once', async () => {
    const drop = oneIn(50);
    let dropped = 0;
    const message = (text: string, forward: (text: string) => void) => {
      if (drop()) dropped += 1;
      else forward(text);
    };
    const { websocket } = await findTally(three, { message }, sent(200));
    expect(dropped).toBeGreaterThan(2);
    expect(websocket).toMatchObject({ lost: dropped, duplicated: 0, outOfOrder: 0, dropped: 0 });
    expect(websocket.received).toBe(websocket.sent - dropped);
  });

  test('a last message without a response is lost too', async () => {
    const message = (text: string, forward: (text: string) => void) => {
      if ((JSON.parse(text) as { n: number }).n <= 5) forward(text);
    };
    const { websocket } = await findTally({ webSockets: 1 }, { message }, sent(20));
    expect(websocket.lost).toBe(websocket.sent - 5);
  });

  test('a message that is processed twice is duplicated, whether its response comes twice or not', async () => {
    const isFifth = once(5);
    const isTenth = once(10);
    let swallowed = 0;
    const faults: Faults = {
      message: (text, forward) => {
        forward(text);
        if (isFifth(text) || isTenth(text)) forward(text);
      },
      respond: (text, forward) => {
        const { n, count } = JSON.parse(text) as { n: number; count: number };
        if (n === 10 && count === 12 && swallowed++ === 0) return;
        forward(text);
      },
    };
    const { websocket } = await findTally({ webSockets: 1 }, faults, sent(20));
    expect(swallowed).toBe(1);
    expect(websocket).toMatchObject({ lost: 0, duplicated: 2, outOfOrder: 0 });
  });

  test('a response that comes twice is duplicated', async () => {
    const isFifth = once(5);
    const respond = (text: string, forward: (text: string) => void) => {
      forward(text);
      if (isFifth(text)) forward(text);
    };
    const { websocket } = await findTally(three, { respond }, sent(50));
    expect(websocket).toMatchObject({ lost: 0, duplicated: 1, outOfOrder: 0 });
  });

  test('a response that is swallowed is lost, and the count that goes on is no duplicate', async () => {
    const isFifth = once(5);
    const respond = (text: string, forward: (text: string) => void) => {
      if (!isFifth(text)) forward(text);
    };
    const { websocket } = await findTally(three, { respond }, sent(50));
    expect(websocket).toMatchObject({ lost: 1, duplicated: 0, outOfOrder: 0 });
  });

  test('two messages that change places are out of order, and not lost', async () => {
    const isFifth = once(5);
    let held: string | undefined;
    const message = (text: string, forward: (text: string) => void) => {
      if (isFifth(text)) return void (held = text);
      forward(text);
      if (held !== undefined) forward(held);
      held = undefined;
    };
    const { websocket } = await findTally({ webSockets: 1 }, { message }, sent(20));
    expect(websocket).toMatchObject({ lost: 0, duplicated: 0, outOfOrder: 1 });
  });

  test('a count that starts again, as on a backend without the old state, is a loss', async () => {
    const respond = (text: string, forward: (text: string) => void) => {
      const response = JSON.parse(text) as { n: number; count: number };
      forward(JSON.stringify({ ...response, count: response.n > 10 ? response.count - 10 : response.count }));
    };
    const { websocket } = await findTally({ webSockets: 1 }, { respond }, sent(20));
    expect(websocket).toMatchObject({ lost: 10, duplicated: 0 });
  });

  test('a connection whose sequence starts again was moved to a backend that has not resumed it', async () => {
    const respond = (text: string, forward: (text: string) => void) => {
      const response = JSON.parse(text) as { sequence: number };
      const { sequence } = response;
      forward(JSON.stringify({ ...response, sequence: sequence > 10 ? sequence - 10 : sequence }));
    };
    const tally = await findTally({ webSockets: 1 }, { respond }, sent(20));
    expect(tally.websocket).toMatchObject({ lost: 0, duplicated: 0, outOfOrder: 1 });
    expect(tally.failures.join()).toContain(
      'expected a number over 10 within the connection, got 1: it was not resumed',
    );
  });

  test('a socket that ends without a Close frame is dropped, and what was open on it is sent again', async () => {
    const isFifth = once(5);
    const respond = (text: string, forward: (text: string) => void, client: WebSocket) => {
      if (isFifth(text)) client.terminate();
      else if (client.readyState === WebSocket.OPEN) forward(text);
    };
    const { websocket } = await findTally(
      { webSockets: 1 },
      { respond },
      (so) => so.websocket.opened === 2 && so.websocket.sent > 20,
    );
    // The server had processed message 5 at least: sent again, it is processed twice.
    expect(websocket.dropped).toBe(1);
    expect(websocket.duplicated).toBeGreaterThanOrEqual(1);
    expect(websocket.lost).toBe(0);
  });

  test('a Close frame that reports an error is no clean end', async () => {
    const isFifth = once(5);
    const respond = (text: string, forward: (text: string) => void, client: WebSocket) => {
      forward(text);
      if (isFifth(text)) client.close(1011);
    };
    const { websocket, failures } = await findTally({ webSockets: 1 }, { respond }, (so) => so.websocket.opened === 2);
    expect(websocket.dropped).toBe(1);
    expect(failures.join()).toMatch(/expected a connection that ends with a Close frame.*, got code 1011/);
  });

  test('a Close frame that never got a response is no clean end', async () => {
    let isStopping = false;
    const message = (text: string, forward: (text: string) => void, client: WebSocket) => {
      forward(text);
      // It responds to this one, and reads no further.
      if (isStopping) client.pause();
    };
    const seen = (so: TrafficSnapshot) => (isStopping = so.websocket.received > 0);
    const { websocket } = await findTally({ webSockets: 1, messagesPerSecondEach: 0.5 }, { message }, seen);
    expect(websocket).toMatchObject({ opened: 1, received: websocket.sent, closedCleanly: 0, dropped: 1 });
  });
});

describe('HTTP', () => {
  const some = (so: TrafficSnapshot) => so.http.failed > 0 && so.http.ok > 20;

  test.each(['keepAlive', 'newConnection', 'http2'] as const)('%s: a response of 500 has failed', async (generator) => {
    const fails = oneIn(10);
    let wrong = 0;
    const request: Faults['request'] = (_request, response) => {
      if (!fails()) return false;
      wrong += 1;
      response.statusCode = 500;
      response.end();
      return true;
    };
    const { http, failures } = await findTally({ [generator]: 40 }, { request }, some);
    expect(http).toMatchObject({ failed: wrong, ok: http.sent - wrong, retried: 0 });
    expect(failures[0]).toMatch(
      /^\d{4}-\S+Z [a-z0-9-]+: (GET \/|POST \/echo): expected 200 and .*, got 500(, [\d,]+ times)?$/,
    );
  });

  test.each(['echo', 'http2'] as const)(
    '%s: an upload that arrives with one byte changed has failed',
    async (generator) => {
      const responseBody: Faults['responseBody'] = (path, body) =>
        path === '/echo' ? Buffer.from(body.toString().replace(/"sha256":"./, '"sha256":"x')) : body;
      const { http, failures } = await findTally({ [generator]: 40 }, { responseBody }, (so) => so.http.failed > 2);
      expect(http.failed + http.ok).toBe(http.sent);
      expect(failures[0]).toMatch(
        /POST \/echo: expected 200 and \d+ bytes with their sha256, got 200 with another body from source/,
      );
    },
  );

  test('a cart that has lost an item has failed', async () => {
    const responseBody: Faults['responseBody'] = (path, body) =>
      path === '/cart' ? Buffer.from(body.toString().replace(/"[^"]+-2",/, '')) : body;
    const { http, failures } = await findTally({ shop: 40 }, { responseBody }, (so) => so.http.failed > 2);
    expect(http.failed + http.ok).toBe(http.sent);
    expect(failures[0]).toMatch(/\/cart: expected 200 and all \d+ items once, got 200 with another body/);
  });

  test('a POST on a connection that is cut has failed and is not sent again', async () => {
    const cuts = oneIn(10);
    let cut = 0;
    const request: Faults['request'] = (incoming, response) => {
      if (incoming.method !== 'POST' || !cuts()) return false;
      cut += 1;
      response.destroy();
      return true;
    };
    const { http } = await findTally({ echo: 40 }, { request }, some);
    expect(http).toMatchObject({ failed: cut, retried: 0 });
  });
});

describe('server-sent events', () => {
  const streams = { eventStreams: 2 };
  const events = (count: number) => (so: TrafficSnapshot) => so.serverSentEvents.events >= count;

  test('a stream that is cut is dropped, and goes on without a gap', async () => {
    const cuts = oneIn(10);
    const event: Faults['event'] = (chunk, response) => {
      if (cuts()) response.destroy();
      return chunk;
    };
    const { serverSentEvents } = await findTally(streams, { event }, events(20));
    expect(serverSentEvents.dropped).toBeGreaterThan(0);
    expect(serverSentEvents).toMatchObject({ lost: 0, duplicated: 0 });
  });

  test('an event that is missing is lost, one that comes twice is duplicated', async () => {
    let lost = false;
    let doubled = false;
    const event: Faults['event'] = (chunk) => {
      const id = /id: (\d+)\n/.exec(chunk.toString())?.[1];
      if (id === '3' && !lost) {
        lost = true;
        return Buffer.from(': nothing\n\n');
      }
      if (id === '5' && !doubled) {
        doubled = true;
        return Buffer.concat([chunk, chunk]);
      }
      return chunk;
    };
    const { serverSentEvents } = await findTally({ eventStreams: 1 }, { event }, events(8));
    expect(serverSentEvents).toMatchObject({ lost: 1, duplicated: 1, dropped: 0 });
  });

  test('a stream that ends inside an event is dropped', async () => {
    let isCut = false;
    const event: Faults['event'] = (chunk, response) => {
      if (isCut || !/id: 3\n/.test(chunk.toString())) return chunk;
      isCut = true;
      setImmediate(() => (response as ServerResponse).end());
      return chunk.subarray(0, -1);
    };
    const { serverSentEvents, failures } = await findTally({ eventStreams: 1 }, { event }, events(8));
    expect(serverSentEvents).toMatchObject({ opened: 2, lost: 0, duplicated: 0, dropped: 1, endedCleanly: 1 });
    expect(failures[0]).toMatch(/expected a stream with an end, got one inside an event(, [\d,]+ times)?$/);
  });

  test('a stream that falls silent has lost an event', async () => {
    let isSilent = false;
    const event: Faults['event'] = (chunk) => {
      isSilent ||= /id: 3\n/.test(chunk.toString());
      return isSilent ? Buffer.from(': nothing\n\n') : chunk;
    };
    const { serverSentEvents } = await findTally({ eventStreams: 1 }, { event }, events(2));
    expect(serverSentEvents.lost).toBe(1);
  });
});

describe('responds that stream', () => {
  const asked = (how: 'cut' | 'truncated' | 'wrong') => (so: TrafficSnapshot) =>
    so.streaming[how] > 0 && so.streaming.whole > 0;
  const third = (chunk: Buffer) => /"part":3,/.test(chunk.toString());
  /** Acts on one response, once. */
  const onFirstThird = (act: (response: ServerResponse, chunk: Buffer) => Buffer): Faults['event'] => {
    let isDone = false;
    return (chunk, response) => {
      if (isDone || !third(chunk)) return chunk;
      isDone = true;
      return act(response as ServerResponse, chunk);
    };
  };

  test('one that is cut is distinguished from one that ends early in order', async () => {
    const destroy = onFirstThird((response, chunk) => {
      setImmediate(() => response.destroy());
      return chunk;
    });
    const cut = await findTally({ chats: 2 }, { event: destroy }, asked('cut'));
    expect(cut.streaming).toMatchObject({ cut: 1, truncated: 0, wrong: 0 });
    expect(cut.failures[0]).toMatch(/expected a whole response, got 3 of 16 parts, then /);

    // As a proxy did that took every event stream for one that comes back.
    const end = onFirstThird((response, chunk) => {
      setImmediate(() => response.end('retry: 1000\n\n'));
      return chunk;
    });
    const truncated = await findTally({ chats: 2 }, { event: end }, asked('truncated'));
    expect(truncated.streaming).toMatchObject({ cut: 0, truncated: 1, wrong: 0 });
    expect(truncated.failures[0]).toMatch(
      /expected a whole response, got 3 of 16 parts and an end in order(, [\d,]+ times)?$/,
    );
  });

  test('parts that are missing, or of another question, are wrong', async () => {
    const missing = onFirstThird(() => Buffer.from(': nothing\n\n'));
    const { streaming } = await findTally({ chats: 1 }, { event: missing }, asked('wrong'));
    expect(streaming).toMatchObject({ cut: 0, truncated: 0, wrong: 1 });
    const other = onFirstThird((_, chunk) => Buffer.from(chunk.toString().replace('"chat-', '"chat-of-another-')));
    const { failures } = await findTally({ chats: 1 }, { event: other }, asked('wrong'));
    expect(failures[0]).toMatch(/chat-of-another-.*' behind 2 of 16 parts(, [\d,]+ times)?$/);
  });
});

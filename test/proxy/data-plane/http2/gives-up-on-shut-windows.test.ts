import type { ServerResponse } from 'node:http';
import { liveIn, startBackend, startEngine, stopAll, until } from '../../support/world';
import { FrameClient, SETTINGS, frame, frameClient, headers } from './support/frames';

afterEach(stopAll);

/** RFC 9113 section 6.5.2: SETTINGS_INITIAL_WINDOW_SIZE of 0. The client takes heads, and no byte of a body. */
const NO_WINDOW = frame(SETTINGS, 0, 0, Buffer.from('000400000000', 'hex'));

const QUICK = { bodyIdleMs: 100 };

const get = (path: string) =>
  [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'a'],
  ] as const;

const REASONS: Readonly<Record<string, (response: ServerResponse) => void>> = {
  '/short': (response) => void response.end('ok'),
  '/long': (response) => void response.end(Buffer.alloc(8 * 1024 * 1024)),
  '/endless': (response) => {
    const fill = (): void => {
      while (response.write(Buffer.alloc(64 * 1024)));
      response.once('drain', fill);
    };
    fill();
  },
};

async function untilReset(client: FrameClient, stream: number): Promise<void> {
  await until(() => client.notified(stream).length === 2);
  // INTERNAL_ERROR or CANCEL: whose patience ends first makes no difference to a client.
  expect(client.notified(stream).join(' ')).toMatch(/^HEADERS RST_STREAM:[28]$/);
}

test.each(Object.keys(REASONS))('a client whose window stays shut is given up (%s)', async (path) => {
  const backend = await startBackend((request, response) => REASONS[request.url!]!(response));
  const engine = await startEngine(backend.port, { timeouts: QUICK });
  const client = await frameClient(engine.port);
  client.send(NO_WINDOW, headers(1, get(path), true));
  await untilReset(client, 1);
  await until(() => engine.outcomes.length === 1);
  expect(engine.outcomes).toMatchObject([{ status: 200, kind: 'http', ending: 'forced' }]);
  expect(liveIn(engine.ledger)).toBe(0);
});

test('so is one that leaves a response of the proxy, or a rejection', async () => {
  const engine = await startEngine(1, {
    timeouts: QUICK,
    decide: () => ({ response: { status: 503, body: 'full\n' } }),
  });
  const client = await frameClient(engine.port);
  client.send(NO_WINDOW, headers(1, get('/'), true), headers(3, [...get('/'), ['host', 'b']], true));
  await untilReset(client, 1);
  await untilReset(client, 3);
  expect(engine.heads).toHaveLength(1);
});

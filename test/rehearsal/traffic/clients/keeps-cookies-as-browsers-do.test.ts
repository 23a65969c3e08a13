import { ServerResponse } from 'node:http';
import { Running, startBackend } from '../../../../rehearsal/backend/backend';
import { startStore } from '../../../../rehearsal/backend/store';
import { startTraffic } from '../../../../rehearsal/traffic/traffic';
import { afterwards } from '../../backend/afterwards';
import { until } from '../../../support/until';
import { Faults, Front, startFront } from '../front';

const stopLater = afterwards();
const NONE = { shop: 0, keepAlive: 0, newConnection: 0, http2: 0, echo: 0, webSockets: 0, eventStreams: 0, chats: 0 };
let store: Running;
let backend: Running;
let front: Front;
/** What each request of a client said, in order: `undefined` for no cookie. */
let cookies: Map<string, (string | undefined)[]>;
const faults: Faults = {};

beforeAll(async () => {
  store = await startStore();
  backend = await startBackend({ side: 'source', storeUrl: store.url });
});
afterAll(() => Promise.all([backend.stop(), store.stop()]));
beforeEach(async () => {
  cookies = new Map();
  delete faults.event;
  faults.request = (request, response) => {
    const client = new URL(request.url ?? '/', 'http://a').searchParams.get('client') ?? 'page';
    const seen = cookies.get(client) ?? [];
    cookies.set(client, [...seen, request.headers.cookie]);
    response.setHeader('set-cookie', [`AWSALBTG=${client}-${seen.length}; Path=/`]);
    return false;
  };
  front = stopLater(await startFront(backend.url, faults));
});

test('a WebSocket client says on its next handshake what the last one was given', async () => {
  const traffic = stopLater(await startTraffic({ ...front.options, rates: { ...NONE, webSockets: 2 } }));
  for (const opened of [2, 4, 6]) {
    await until(() => traffic.snapshot()?.websocket.opened === opened && traffic.snapshot()?.live.websocket === 2);
    if (opened < 6) front.drainWebSockets();
  }
  await traffic.stop();
  expect(cookies.size).toBe(2);
  for (const [client, said] of cookies) {
    expect(said).toEqual([undefined, `AWSALBTG=${client}-0`, `AWSALBTG=${client}-1`]);
  }
});

test('so does an event stream, also what a rejection gave', async () => {
  const { request: take } = faults;
  let turn = 0;
  faults.request = (request, response) => {
    take?.(request, response);
    if (++turn !== 2) return false;
    response.statusCode = 503;
    response.setHeader('retry-after', '0');
    response.end();
    return true;
  };
  faults.event = (chunk, response) => {
    if (turn === 1) setImmediate(() => (response as ServerResponse).end());
    return chunk;
  };
  const traffic = stopLater(await startTraffic({ ...front.options, rates: { ...NONE, eventStreams: 1 } }));
  await until(() => traffic.snapshot()?.serverSentEvents.opened === 2);
  await traffic.stop();
  const [[client, said] = []] = [...cookies];
  expect(said).toEqual([undefined, `AWSALBTG=${client}-0`, `AWSALBTG=${client}-1`]);
});

test.each([
  { cookies: true, withCookies: 2 },
  { cookies: false, withCookies: 0 },
])('of four HTTP/2 sessions $withCookies keep cookies when that is $cookies', async (option) => {
  const said = new Map<unknown, (string | undefined)[]>();
  faults.request = ({ socket, headers }, response) => {
    const session = (socket as unknown as { remotePort: number }).remotePort;
    said.set(session, [...(said.get(session) ?? []), headers.cookie]);
    response.setHeader('set-cookie', ['AWSALBTG=a']);
    return false;
  };
  const rates = { ...NONE, http2: 16 };
  const traffic = stopLater(await startTraffic({ ...front.options, rates, cookies: option.cookies }));
  const all = () => [...said.values()];
  const keeping = () => all().filter((cookies) => cookies.includes('AWSALBTG=a'));
  await until(
    () => said.size === 4 && keeping().length >= option.withCookies && all().every(({ length }) => length > 2),
  );
  await traffic.stop();
  expect(keeping()).toHaveLength(option.withCookies);
  // Requests may be under way before the first response; from the first that shows the cookie on, all do.
  for (const cookies of keeping()) expect(cookies.slice(cookies.indexOf('AWSALBTG=a'))).not.toContain(undefined);
  for (const [first] of all()) expect(first).toBeUndefined();
  expect(all().filter((one) => one.every((cookie) => cookie === undefined))).toHaveLength(4 - option.withCookies);
});

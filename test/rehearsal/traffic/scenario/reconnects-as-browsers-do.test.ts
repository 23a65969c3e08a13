import { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import { AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import { generate } from 'selfsigned';
import { WebSocketServer } from 'ws';
import { parseScenario } from '../../../../core/scenario/scenario';
import { Generators } from '../../../../rehearsal/traffic/generators';
import { until } from '../../../support/until';

const CLIENTS = 2;
/** How an application does not serve a WebSocket: its handshake, or its Close frame. */
const WAYS: Readonly<Record<string, { status: string } | { close: number }>> = {
  '/forbidden': { status: '403 Forbidden' },
  '/unknown': { status: '404 Not Found' },
  '/broken': { status: '500 Internal Server Error' },
  '/busy': { status: '503 Service Unavailable\r\nRetry-After: 0' },
  '/kicked': { close: 1008 },
  '/closed': { close: 1000 },
};
const PATHS = Object.keys(WAYS);
const LOGIN = { name: 'log in', path: '/login', headers: { 'x-client': '${client}' } };

const SCENARIO = parseScenario({
  clients: 1,
  requestsPerSecond: 1,
  start: [LOGIN],
  requests: [{ path: '/' }],
  webSockets: PATHS.map((path) => ({
    name: path,
    path,
    clients: CLIENTS,
    headers: { 'x-client': '${client}' },
    script: [{ send: 'hello', expect: {} }],
  })),
  eventStreams: [{ name: '/events', path: '/events', clients: CLIENTS, headers: { 'x-client': '${client}' } }],
});

interface Seen {
  readonly what: string;
  readonly atMs: number;
  readonly cookie: string | undefined;
}

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** An application that lets everybody log in, and serves nothing that lasts. */
async function startApplication() {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'shop.example.com' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'shop.example.com' }] }],
  });
  const seen = new Map<string, Seen[]>();
  const see = ({ url = '', headers }: IncomingMessage) => {
    const client = String(headers['x-client'] ?? '');
    seen.set(client, [...(seen.get(client) ?? []), { what: url, atMs: performance.now(), cookie: headers.cookie }]);
  };
  const webSockets = new WebSocketServer({ noServer: true });
  const server = createServer({ cert, key }, (request, response) => {
    see(request);
    if (request.url === '/login') response.setHeader('set-cookie', 'sid=1; Path=/');
    response.writeHead(request.url === '/events' ? 500 : 200).end();
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    see(request);
    const way = WAYS[request.url ?? '']!;
    if ('status' in way) socket.end(`HTTP/1.1 ${way.status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    else webSockets.handleUpgrade(request, socket, head, (client) => client.close(way.close));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(() => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))));
  return { ca: cert, port: (server.address() as AddressInfo).port, seen };
}

test('a client that is not served pauses longer each time, keeps its cookies, and is counted once', async () => {
  const { ca, port, seen } = await startApplication();
  const traffic = new Generators({
    origin: 'https://shop.example.com',
    connectTo: { host: '127.0.0.1', port },
    ca,
    scenario: SCENARIO,
    arrivalMs: 10,
    lastResponsesMs: 1_000,
  });
  traffic.start();
  const isAsked = (all: Seen[]) => all.filter(({ what }) => what !== '/login').length >= 3;
  const clients = () => [...seen].filter(([client]) => Number(client) > 1).map(([, all]) => all);
  await until(() => clients().length === (PATHS.length + 1) * CLIENTS && clients().every(isAsked));
  await traffic.stop();

  for (const all of clients()) {
    const tries = all.filter(({ what }) => what !== '/login');
    // Once for what may be a session that is not there, and at most once more.
    expect(all.length - tries.length).toBeLessThanOrEqual(2);
    expect(tries.map(({ cookie }) => cookie)).toEqual(tries.map(() => 'sid=1'));
    const pauses = tries.slice(1).map(({ atMs }, index) => atMs - tries[index]!.atMs);
    // One of them may be the last word: it is cut short by the end of the traffic.
    expect(pauses.filter((ms) => ms < 190).length).toBeLessThanOrEqual(1);
  }
  const tally = traffic.recorder.tally();
  const wrong = tally.entries
    ?.filter(({ kind }) => kind !== 'request')
    .map(({ name, bySide }) => [name, bySide.noSide.wrong]);
  // Who is asked to come back later and never gets in is without a WebSocket at the end.
  expect(wrong).toEqual([...PATHS, '/events'].map((name) => [name, CLIENTS]));
  expect(tally.websocket).toMatchObject({ dropped: 5 * CLIENTS, lost: CLIENTS });
  expect(tally.serverSentEvents.dropped).toBe(CLIENTS);
  const noted = tally.failures.map((line) => line.replace(/^\S+ /, ''));
  expect(new Set(noted)).toEqual(
    new Set([
      '/forbidden: expected 101, a WebSocket, got 403, 2 times',
      '/unknown: expected 101, a WebSocket, got 404, 2 times',
      '/broken: expected 101, a WebSocket, got 500, 2 times',
      '/busy: expected a WebSocket at the end, got none in 1000 ms, 2 times',
      '/kicked: expected a Close frame at the end, got code 1008, 2 times',
      '/closed: expected a message, got a Close frame (1000) before it, 2 times',
      '/events: expected 200 text/event-stream, got 500, 2 times',
    ]),
  );
});

import http from 'node:http';
import https from 'node:https';
import net, { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { until } from '../../support/until';
import { Fixture } from './fixture';

let cloud: Fixture;
const afterwards: (() => void)[] = [];
afterEach(async () => {
  for (const each of afterwards.splice(0)) each();
  await cloud.stop();
});

/** A target that responds `/health`, echoes on WebSockets, holds `/held`, and begins a stream of events at `/events`. */
async function lastingTarget(): Promise<{ id: string; port: number }> {
  const address = await cloud.target('source', 'lasting', (request, response) => {
    if (request.url === '/health') response.end();
    if (request.url === '/events')
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
  });
  const sockets = new WebSocketServer({ server: cloud.servers.at(-1) as http.Server });
  afterwards.push(() => sockets.clients.forEach((socket) => socket.terminate()));
  sockets.on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('message', (data) => socket.send(data));
  });
  await cloud.healthy('source', 1);
  return address;
}

const tls = () => ({ ca: cloud.certificate.cert, servername: 'shop.example.com' });

async function openWebSocket(): Promise<WebSocket> {
  const socket = new WebSocket(`wss://127.0.0.1:${cloud.port}/`, tls());
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('open', resolve));
  return socket;
}

/** The code with which it closes: 1006 when there is no Close frame. */
const closed = (socket: WebSocket) => new Promise<number>((resolve) => socket.once('close', resolve));

interface Stream {
  readonly ended: Promise<'complete' | 'cut'>;
}

/** A stream of events, once its first one is here. */
function openEvents(): Promise<Stream> {
  return new Promise((resolve) => {
    https.get({ host: '127.0.0.1', port: cloud.port, path: '/events', agent: false, ...tls() }, (response) => {
      response.on('error', () => undefined);
      const ended = new Promise<'complete' | 'cut'>((end) => {
        response.once('close', () => end(response.complete ? 'complete' : 'cut'));
      });
      response.once('data', () => resolve({ ended }));
    });
  });
}

test('what is in flight at the end of the deregistration delay is cut: 502, a hard close, a broken stream', async () => {
  cloud = await new Fixture().start();
  const group = cloud.model.targetGroup('source');
  group.attributes.set('deregistration_delay.timeout_seconds', '0.5');
  const address = await lastingTarget();
  const [socket, stream] = await Promise.all([openWebSocket(), openEvents()]);
  const held = cloud.get('/held');
  await until(() => [...group.targets.values()][0]?.outstanding === 3);
  cloud.server.targets.deregister('source', [address]);
  // The delay is for them to end by themselves: until then they live.
  socket.send('still here');
  await new Promise((resolve) => socket.once('message', resolve));
  expect(group.targets.size).toBe(1);
  const [response, code, how] = await Promise.all([held, closed(socket), stream.ended]);
  expect(response.status).toBe(502);
  expect(code).toBe(1006);
  expect(how).toBe('cut');
  expect(group.targets.size).toBe(0);
});

test('the idle timeout ends a WebSocket and a stream of events that are silent, and none that is not', async () => {
  cloud = new Fixture();
  cloud.model.loadBalancer('lb').attributes.set('idle_timeout.timeout_seconds', '0.4');
  await cloud.start();
  await lastingTarget();
  const [silent, busy, stream] = await Promise.all([openWebSocket(), openWebSocket(), openEvents()]);
  const talk = setInterval(() => busy.send('x'), 50);
  afterwards.push(() => clearInterval(talk));
  const [code] = await Promise.all([closed(silent), stream.ended]);
  expect(code).toBe(1006);
  expect(busy.readyState).toBe(WebSocket.OPEN);
});

test('a kept connection that the target has closed is a 502: nothing is sent a second time', async () => {
  cloud = await new Fixture().start();
  let requests = 0;
  const target = net.createServer((socket) => {
    let seen = 0;
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      if (data.toString().startsWith('GET /health'))
        return void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      requests += 1;
      seen += 1;
      // Its second request finds the connection closed.
      if (seen > 1) return void socket.destroy();
      return void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    });
  });
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  afterwards.push(() => target.close());
  cloud.server.targets.register('source', [{ id: '127.0.0.1', port: (target.address() as AddressInfo).port }]);
  await cloud.healthy('source', 1);
  expect((await cloud.get()).status).toBe(200);
  expect((await cloud.get()).status).toBe(502);
  expect(requests).toBe(2);
});

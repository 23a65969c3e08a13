import type { AddressInfo } from 'node:net';
import http2 from 'node:http2';
import { WebSocket, WebSocketServer } from 'ws';
import { Engine, get, later, liveIn, selfSigned, startBackend, startEngine, stopAll, until } from '../support/world';

afterEach(stopAll);

/** A load balancer in front of a proxy, both with TLS, as the rehearsal has them. */
async function startChain(backendPort: number): Promise<{ front: Engine; back: Engine }> {
  const tls = await selfSigned();
  const back = await startEngine(backendPort, { tls });
  const upstream = { protocol: 'https' as const, host: '127.0.0.1', port: back.port, verifyCertificate: false };
  const front = await startEngine(back.port, { tls, decide: () => ({ forward: { upstream } }) });
  return { front, back };
}

test('HTTP/2 in front, HTTPS behind', async () => {
  const backend = await startBackend((request, response) => request.pipe(response));
  const { front, back } = await startChain(backend.port);
  const session = http2.connect(`https://127.0.0.1:${front.port}`, { rejectUnauthorized: false });
  later(() => session.destroy());
  const stream = session.request({ ':method': 'POST', ':path': '/' });
  let body = '';
  stream.on('data', (bytes: Buffer) => (body += bytes.toString()));
  stream.end('x'.repeat(200_000));
  await new Promise((resolve) => stream.once('end', resolve));
  expect(body).toHaveLength(200_000);
  await until(() => liveIn(front.ledger) === 0 && liveIn(back.ledger) === 0);
});

test('a certificate that is not trusted is a failed upstream, unless it is not to be checked', async () => {
  const tls = await selfSigned();
  const backend = await startBackend((_, response) => response.end('ok'));
  const back = await startEngine(backend.port, { tls });
  const upstream = { protocol: 'https' as const, host: '127.0.0.1', port: back.port };
  const checks = await startEngine(back.port, { decide: () => ({ forward: { upstream } }) });
  expect(await get({ port: checks.port })).toMatchObject({ status: 502, body: 'certificateRejected' });
  const trusts = await startEngine(back.port, {
    decide: () => ({ forward: { upstream: { ...upstream, verifyCertificate: false } } }),
  });
  expect(await get({ port: trusts.port })).toMatchObject({ status: 200, body: 'ok' });
});

test('a WebSocket that the proxy moves on is closed in order through the load balancer', async () => {
  const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  later(() => {
    for (const client of sockets.clients) client.terminate();
    sockets.close();
  });
  await new Promise((resolve) => sockets.once('listening', resolve));
  sockets.on('connection', (socket) => socket.on('message', (data: Buffer) => socket.send(data.toString())));
  const { front, back } = await startChain((sockets.address() as AddressInfo).port);
  const clients = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const client = new WebSocket(`wss://127.0.0.1:${front.port}/`, { rejectUnauthorized: false });
      const state = { sent: 0, responded: 0, code: 0, client };
      client.on('message', () => (state.responded += 1));
      client.on('close', (code) => (state.code = code));
      await new Promise((resolve) => client.once('open', resolve));
      return state;
    }),
  );
  for (const state of clients) {
    for (; state.sent < 50; state.sent += 1) state.client.send('x'.repeat(1000));
  }
  await until(() => clients.every((state) => state.responded === 50));
  await Promise.all([...back.ledger.closables('websocket')].map((closable) => closable.close()));
  await until(() => clients.every((state) => state.code !== 0));
  expect(clients.filter((state) => state.code !== 1012)).toEqual([]);
  await until(() => liveIn(front.ledger) === 0 && liveIn(back.ledger) === 0);
  expect(back.ledger.ended.websocket).toMatchObject({ closed: 20, forced: 0 });
  expect(front.ledger.ended.websocket).toMatchObject({ completed: 20, forced: 0 });
  await until(() => sockets.clients.size === 0);
});

import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import tls, { TLSSocket } from 'node:tls';
import { WebSocket, WebSocketServer } from 'ws';
import type { Transport } from '../../../../proxy/data-plane/contract/transport';
import { continueHere } from '../../../../proxy/data-plane/tls13/continue-here';
import { takeTls13 } from '../../../../proxy/data-plane/tls13/take-tls13';
import { watchTls13 } from '../../../../proxy/data-plane/tls13/tls13-watch';
import { StreamTransport } from '../../../../proxy/data-plane/transport/stream-transport';
import { Engine, later, selfSigned, startBackend, startEngine, stopAll, until } from '../../support/world';

const BODY = Buffer.alloc(5_000_000, 'response');
let engine: Engine;
let port: number;
let accepted: TLSSocket[];

beforeAll(async () => {
  const backend = await startBackend((request, response) => {
    if (request.method === 'GET') return void response.end(request.url === '/long' ? BODY : request.headers.host);
    let length = 0;
    request.on('data', (bytes: Buffer) => (length += bytes.length));
    request.on('end', () => response.end(`${length}`));
  });
  new WebSocketServer({ server: backend.server }).on('connection', (socket) => {
    socket.on('message', (data: Buffer, isBinary) => socket.send(data, { binary: isBinary }));
  });
  engine = await startEngine(backend.port);
  const server = tls.createServer({ ...(await selfSigned()), minVersion: 'TLSv1.3' });
  watchTls13(server);
  accepted = [];
  server.on('secureConnection', (socket: TLSSocket) => accepted.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  later(() => void server.close());
  ({ port } = server.address() as AddressInfo);
});
afterAll(stopAll);

/** A client whose connection an engine serves that did not do its handshake. */
async function connect(): Promise<TLSSocket> {
  const index = accepted.length;
  const client = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  later(() => void client.destroy());
  await once(client, 'secureConnect');
  await until(() => accepted.length > index);
  const socket = accepted[index]!;
  const source = new StreamTransport(socket);
  let taken = takeTls13(source);
  await until(() => typeof (taken = takeTls13(source)) !== 'string');
  if (typeof taken === 'string') throw new Error(taken);
  (engine.plane as unknown as { serve(transport: Transport): void }).serve(continueHere(socket, taken));
  return client;
}

function agentOn(client: TLSSocket): http.Agent {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = () => client;
  return agent;
}

async function ask(agent: http.Agent, options: http.RequestOptions, body?: Buffer): Promise<Buffer> {
  const request = http.request({ host: 'localhost', agent, ...options });
  request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const pieces: Buffer[] = [];
  for await (const piece of response) {
    pieces.push(piece as Buffer);
    // Slower than what is sent: the response waits for its reader.
    if (pieces.length % 50 === 0) await new Promise(setImmediate);
  }
  return Buffer.concat(pieces);
}

test('requests, a long response and a long upload, one after the other', async () => {
  const agent = agentOn(await connect());
  for (let n = 0; n < 3; n += 1) expect((await ask(agent, { path: '/' })).toString()).toBe('localhost');
  expect((await ask(agent, { path: '/long' })).equals(BODY)).toBe(true);
  expect((await ask(agent, { method: 'POST' }, BODY)).toString()).toBe(`${BODY.length}`);
  expect(engine.heads.every(({ isTls }) => isTls)).toBe(true);
});

test('requests in one go, the last of which closes the connection', async () => {
  const client = await connect();
  let text = '';
  client.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
  client.write('GET /1 HTTP/1.1\r\nHost: one\r\n\r\nGET /2 HTTP/1.1\r\nHost: two\r\nConnection: close\r\n\r\n');
  await once(client, 'end');
  expect(text).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\noneHTTP\/1\.1 200 [\s\S]*\r\n\r\ntwo$/);
});

test('what is no request gets a 400 and the end', async () => {
  const client = await connect();
  let text = '';
  client.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
  client.write('no request\r\n\r\n');
  await once(client, 'end');
  expect(text).toMatch(/^HTTP\/1\.1 400 /);
});

test('a WebSocket, to its close in order', async () => {
  const client = await connect();
  const socket = new WebSocket('ws://localhost/', { createConnection: () => client });
  await once(socket, 'open');
  for (const message of ['short', 'long '.repeat(100_000)]) {
    socket.send(message);
    const [data] = (await once(socket, 'message')) as [Buffer];
    expect(data.toString() === message).toBe(true);
  }
  socket.close(1000, 'done');
  expect(await once(socket, 'close')).toMatchObject([1000, Buffer.from('done')]);
});

test('HTTP/2 by prior knowledge, with which no client goes on, but one might', async () => {
  const client = await connect();
  client.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  client.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
  const [settings] = (await once(client, 'data')) as [Buffer];
  expect(settings[3]).toBe(4);
  client.end();
  await once(client, 'close');
});

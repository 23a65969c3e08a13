import http, { ClientRequest } from 'node:http';
import net from 'node:net';
import { computeDigest, pieces, sha256, findStream } from './support/bytes';
import { BODY_LIMIT, FastifyApp, startFastifyApp } from './support/fastify-app';
import { ProxyCommand, problemsOnceAllIsOver, startProxyCommand } from './support/proxy-command';
import { get, later, stopAll, until } from '../support/world';

let app: FastifyApp;
let proxy: ProxyCommand;
let base: string;

beforeAll(async () => {
  app = await startFastifyApp();
  proxy = await startProxyCommand(app.port);
  base = `http://127.0.0.1:${proxy.port}`;
});
afterAll(stopAll);

const MIB = 2 ** 20;
const JSON_TYPE = { 'content-type': 'application/json' };
const RAW_TYPE = { 'content-type': 'application/octet-stream' };
/** Of one connection, or of the moment. */
const CHANGING = ['connection', 'keep-alive', 'date'];

async function readResponse(port: number, path: string, init: RequestInit): Promise<unknown> {
  const headers = { host: 'shop.example', ...(init.headers as Record<string, string>) };
  const got = await get({ port, path, method: init.method, headers }, init.body as string | undefined);
  const fields = Object.entries(got.headers).filter(([name]) => !CHANGING.includes(name));
  return { status: got.status, fields: Object.fromEntries(fields), body: got.body, trailers: got.trailers };
}

describe('a client of node:http gets what the app alone would have responded', () => {
  test.each<[string, RequestInit]>([
    ['/json?a=1&a=2', {}],
    ['/json', { method: 'POST', headers: JSON_TYPE, body: '{"name":"Jörg"}' }],
    ['/json', { method: 'POST', headers: JSON_TYPE, body: '{"nobody":1}' }],
    ['/json', { method: 'POST', headers: JSON_TYPE, body: '{"broken"' }],
    ['/json', { method: 'POST', headers: { 'content-type': 'text/x-unknown' }, body: 'x' }],
    ['/json', { method: 'HEAD' }],
    ['/json', { method: 'PATCH', headers: JSON_TYPE, body: '{}' }],
    ['/nothing', {}],
    ['/old', {}],
    ['/fails', {}],
    ['/absent', {}],
    ['/%E0%A4%A', {}],
    ['/summed?length=100000', { headers: { te: 'trailers' } }],
  ])('%s %j', async (path, init) => {
    expect(await readResponse(proxy.port, path, init)).toEqual(await readResponse(app.port, path, init));
  });
});

test('a chunked response brings the trailers that were made at its end', async () => {
  const length = 3 * MIB;
  const got = await get({ port: proxy.port, path: `/summed?length=${length}`, headers: { te: 'trailers' } });
  expect(got.headers).toMatchObject({ trailer: 'x-sha256', 'transfer-encoding': 'chunked' });
  expect(got.trailers).toEqual({ 'x-sha256': sha256(pieces(length)) });
});

test('a chunked upload brings its trailers', async () => {
  const headers = { ...RAW_TYPE, trailer: 'x-note' };
  const got = await get({ port: proxy.port, method: 'PUT', path: '/upload', headers }, (request) => {
    request.write('one ');
    request.addTrailers({ 'x-note': 'at the end' });
    request.end('two');
  });
  expect(JSON.parse(got.body)).toEqual({
    bytes: 7,
    sha256: sha256([Buffer.from('one two')]),
    trailers: { 'x-note': 'at the end' },
  });
});

test('fetch streams 16 MiB up and down', async () => {
  const length = 16 * MIB;
  const sum = { bytes: length, sha256: sha256(pieces(length)) };
  const body = ReadableStream.from(pieces(length));
  const up = await fetch(`${base}/upload`, { method: 'PUT', headers: RAW_TYPE, body, duplex: 'half' });
  expect(await up.json()).toEqual({ ...sum, trailers: {} });
  const down = await fetch(`${base}/download?length=${length}`);
  expect(await computeDigest(down.body!)).toEqual(sum);
});

function askFirst(headers: http.OutgoingHttpHeaders): ClientRequest {
  const request = http.request({
    host: '127.0.0.1',
    port: proxy.port,
    agent: false,
    method: 'PUT',
    path: '/upload',
    headers: { ...RAW_TYPE, expect: '100-continue', ...headers },
  });
  later(() => void request.destroy());
  request.flushHeaders();
  return request;
}

test('Expect: 100-continue: the body follows when the app agrees', async () => {
  const length = MIB;
  const request = askFirst({ 'content-length': length });
  await new Promise((resolve) => request.once('continue', resolve));
  findStream(length).pipe(request);
  const response = await new Promise<http.IncomingMessage>((resolve) => request.once('response', resolve));
  const body = Buffer.concat((await response.toArray()) as Buffer[]).toString();
  expect(JSON.parse(body)).toMatchObject({ bytes: length, sha256: sha256(pieces(length)) });
});

test('Expect: 100-continue: the response comes without the body when the app declines', async () => {
  const request = askFirst({ 'content-length': MIB, authorization: 'Basic bad' });
  let wasAsked = false;
  request.once('continue', () => (wasAsked = true));
  const response = await new Promise<http.IncomingMessage>((resolve) => request.once('response', resolve));
  expect(response).toMatchObject({ statusCode: 401, headers: { 'www-authenticate': 'Basic' } });
  expect(Buffer.concat((await response.toArray()) as Buffer[]).toString()).toBe('ask again');
  expect(wasAsked).toBe(false);
});

test('early hints come before the response', async () => {
  const hints: string[] = [];
  const got = await get({ port: proxy.port, path: '/hints' }, (request) => {
    request.on('information', ({ statusCode, headers }) => hints.push(`${statusCode} ${headers.link?.toString()}`));
    request.end();
  });
  expect(got).toMatchObject({ status: 200, body: 'hinted' });
  expect(hints).toEqual(['103 </style.css>; rel=preload; as=style']);
});

test('a body over the limit is rejected with 413 before it was sent', async () => {
  const headers = { ...JSON_TYPE, 'content-length': BODY_LIMIT + 1 };
  const got = await get({ port: proxy.port, method: 'POST', path: '/json', headers }, (request) => {
    request.flushHeaders();
  });
  expect(got.status).toBe(413);
  expect(JSON.parse(got.body)).toMatchObject({ code: 'FST_ERR_CTP_BODY_TOO_LARGE' });
});

test('so it is every time when the client sends on, and the client reads it', async () => {
  const length = 8 * MIB;
  const headers = { ...JSON_TYPE, 'content-length': length };
  const statuses: number[] = [];
  for (let round = 0; round < 20; round += 1) {
    const got = await get({ port: proxy.port, method: 'POST', path: '/json', headers }, (request) => {
      findStream(length).pipe(request);
    });
    statuses.push(got.status);
  }
  expect(statuses).toEqual(statuses.map(() => 413));
});

test('requests that are sent without waiting get a response in their order', async () => {
  const socket = net.connect(proxy.port, '127.0.0.1');
  later(() => void socket.destroy());
  let responses = '';
  socket.on('data', (bytes) => (responses += bytes.toString()));
  const ids = Array.from({ length: 20 }, (_, index) => `id${index}`);
  socket.write(ids.map((id) => `GET /json?id=${id} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
  await until(() => responses.split('HTTP/1.1 200').length === ids.length + 1 && responses.endsWith('}'));
  expect([...responses.matchAll(/"id":"(\w+)"/g)].map((match) => match[1])).toEqual(ids);
});

test('nothing of all this is left, and none of it was an error', async () => {
  expect(await problemsOnceAllIsOver(proxy)).toEqual([]);
});

import http2, { ClientHttp2Session, OutgoingHttpHeaders } from 'node:http2';
import https from 'node:https';
import { get, later, liveIn, selfSigned, startBackend, startEngine, stopAll, until } from '../../support/world';

afterEach(stopAll);

interface Response {
  readonly status: number;
  readonly headers: http2.IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: http2.IncomingHttpHeaders;
}

function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string): Promise<Response> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': '/', ...headers }, { endStream: body === undefined });
    const response = {
      status: 0,
      headers: {} as http2.IncomingHttpHeaders,
      body: '',
      trailers: {} as http2.IncomingHttpHeaders,
    };
    stream.on('response', (got) => Object.assign(response, { status: got[':status'], headers: got }));
    stream.on('trailers', (got: http2.IncomingHttpHeaders) => (response.trailers = got));
    stream.on('data', (chunk: Buffer) => (response.body += chunk.toString()));
    stream.on('end', () => resolve(response));
    stream.on('error', reject);
    if (body !== undefined) stream.end(body);
  });
}

async function connect(port: number): Promise<ClientHttp2Session> {
  const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  session.on('error', () => undefined);
  later(() => session.destroy());
  await new Promise((resolve) => session.once('connect', resolve));
  return session;
}

test('requests with and without bodies, and no field that HTTP/2 prohibits', async () => {
  const backend = await startBackend((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      response.setHeader('x-host', String(request.headers.host));
      response.setHeader(
        'x-framing',
        String(request.headers['transfer-encoding'] ?? request.headers['content-length']),
      );
      response.setHeader('keep-alive', 'timeout=9');
      response.end(`${request.method} ${body}`);
    });
  });
  const engine = await startEngine(backend.port, { tls: await selfSigned() });
  const session = await connect(engine.port);
  const got = await ask(session, { ':authority': 'shop.example' });
  expect(got).toMatchObject({
    status: 200,
    body: 'GET ',
    headers: { 'x-host': 'shop.example', 'x-framing': 'undefined' },
  });
  expect(got.headers.connection).toBeUndefined();
  expect(got.headers['keep-alive']).toBeUndefined();
  const posted = await ask(session, { ':method': 'POST' }, 'body');
  expect(posted).toMatchObject({ body: 'POST body', headers: { 'x-framing': 'chunked' } });
  const sized = await ask(session, { ':method': 'PUT', 'content-length': 4 }, 'body');
  expect(sized).toMatchObject({ body: 'PUT body', headers: { 'x-framing': '4' } });
  expect(await ask(session, { ':method': 'HEAD' })).toMatchObject({ status: 200, body: '' });
  expect(engine.heads.map((head) => head.httpVersion)).toEqual(['2', '2', '2', '2']);
  await until(() => liveIn(engine.ledger) === 0);
  expect(engine.ledger.ended.http.completed).toBe(4);
});

test('an authority that is not the Host is rejected', async () => {
  const backend = await startBackend((_, response) => response.end('ok'));
  const engine = await startEngine(backend.port, { tls: await selfSigned() });
  const session = await connect(engine.port);
  expect(await ask(session, { ':authority': 'a', host: 'b' })).toMatchObject({ status: 400 });
  expect(await ask(session, { ':authority': 'a', host: 'A' })).toMatchObject({ status: 200 });
  expect(engine.heads).toHaveLength(1);
});

test('trailers reach an HTTP/2 client', async () => {
  const backend = await startBackend((_, response) => {
    response.writeHead(200, { trailer: 'x-sum' });
    response.write('body');
    response.addTrailers({ 'x-sum': '42' });
    response.end();
  });
  const engine = await startEngine(backend.port, { tls: await selfSigned() });
  expect(await ask(await connect(engine.port), {})).toMatchObject({ body: 'body', trailers: { 'x-sum': '42' } });
});

test('HTTP/1.1 over TLS is served on the same port', async () => {
  const backend = await startBackend((_, response) => response.end('ok'));
  const engine = await startEngine(backend.port, { tls: await selfSigned() });
  const agent = new https.Agent({ rejectUnauthorized: false });
  const got = await get({ port: engine.port, agent, protocol: 'https:' });
  agent.destroy();
  expect(got).toMatchObject({ status: 200, body: 'ok' });
  expect(engine.heads[0]).toMatchObject({ httpVersion: '1.1', isTls: true });
});

test('a stream that the client resets frees its place, and the session goes on', async () => {
  const backend = await startBackend((request, response) => {
    if (request.url === '/slow') response.write('x');
    else response.end('ok');
  });
  const engine = await startEngine(backend.port, { tls: await selfSigned() });
  const session = await connect(engine.port);
  const stream = session.request({ ':path': '/slow' });
  stream.on('error', () => undefined);
  await new Promise((resolve) => stream.once('data', resolve));
  expect(liveIn(engine.ledger)).toBe(1);
  stream.close(http2.constants.NGHTTP2_CANCEL);
  await until(() => liveIn(engine.ledger) === 0);
  expect(engine.ledger.ended.http.forced).toBe(1);
  await until(() => backend.sockets.size === 0);
  expect(await ask(session, {})).toMatchObject({ body: 'ok' });
});

test('an upstream that breaks off resets the stream alone', async () => {
  const backend = await startBackend((request, response) => {
    if (request.url === '/ok') return void response.end('ok');
    response.write('half');
    setImmediate(() => request.socket.destroy());
  });
  const engine = await startEngine(backend.port, { tls: await selfSigned() });
  const session = await connect(engine.port);
  await expect(ask(session, { ':path': '/broken' })).rejects.toThrow();
  expect(await ask(session, { ':path': '/ok' })).toMatchObject({ body: 'ok' });
});

test('a drain lets a session finish its streams and sends its next requests elsewhere', async () => {
  const responses: (() => void)[] = [];
  const backend = await startBackend((_, response) => responses.push(() => response.end('late')));
  const engine = await startEngine(backend.port, { tls: await selfSigned() });
  const session = await connect(engine.port);
  const running = ask(session, {});
  await until(() => responses.length === 1);
  const goaway = new Promise((resolve) => session.once('goaway', resolve));
  engine.plane.setDraining(true);
  await goaway;
  responses[0]?.();
  expect(await running).toMatchObject({ status: 200, body: 'late' });
  await until(() => session.closed || session.destroyed);
  // A new session is served, and told to go with its response.
  const next = await connect(engine.port);
  const second = ask(next, {});
  await until(() => responses.length === 2);
  responses[1]?.();
  expect(await second).toMatchObject({ status: 200 });
  await until(() => next.closed || next.destroyed);
});

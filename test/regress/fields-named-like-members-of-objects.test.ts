import http2 from 'node:http2';
import { send } from '../proxy/data-plane/http1/support/raw-client';
import { startUpstream } from '../proxy/data-plane/http1/support/raw-upstream';
import { listValues } from '../proxy/data-plane/http1/support/messages';
import { later, startBackend, startEngine, stopAll, until } from '../proxy/support/world';
import { startHttp2Backend } from '../proxy/data-plane/http2/support/upstreams';
import { ask, connect } from '../proxy/data-plane/http2/support/sessions';

afterEach(stopAll);

/** Members of Object.prototype; those in lower case can be fields of HTTP/2. */
const NAMES = ['constructor', '__proto__', '__defineGetter__', 'hasOwnProperty', 'toString', 'valueOf'];
const LOWER = NAMES.filter((name) => name === name.toLowerCase());
const FIELDS = Object.fromEntries(LOWER.map((name) => [name, `its ${name}`] as const));

/** What the route sets makes the engine look for fields of these names. */
const decideFor = (port: number, isHttp2: boolean) => () => ({
  forward: {
    upstream: { protocol: 'http' as const, host: '127.0.0.1', port, isHttp2 },
    requestHeaders: { 'x-set': '1' },
    responseHeaders: () => ({ 'x-added': '1' }),
  },
});

test('over HTTP/1.1 they pass, in heads and trailers, both ways', async () => {
  const lines = NAMES.map((name) => `${name}: its ${name}\r\n`).join('');
  const upstream = await startUpstream(
    () => `HTTP/1.1 200 OK\r\n${lines}Transfer-Encoding: chunked\r\n\r\n0\r\n${lines}\r\n`,
  );
  const engine = await startEngine(upstream.port, { decide: decideFor(upstream.port, false) });
  const client = await send(
    engine.port,
    `POST / HTTP/1.1\r\nHost: a\r\n${lines}TE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${lines}\r\n`,
  );
  const [response] = await client.responds();
  const [request] = upstream.requests;
  for (const name of NAMES) {
    const lower = name.toLowerCase();
    expect([name, listValues(request!.fields, lower), listValues(response!.fields, lower)]).toEqual([
      name,
      [`its ${name}`],
      [`its ${name}`],
    ]);
    expect(listValues(request!.trailers, lower)).toEqual([`its ${name}`]);
    expect(engine.heads[0]!.headers[lower]).toBe(`its ${name}`);
    expect(engine.heads[0]!.field(lower)).toBe(`its ${name}`);
  }
});

test('over HTTP/2 to HTTP/1.1 they pass', async () => {
  const received: string[][] = [];
  const backend = await startBackend((request, response) => {
    received.push(request.rawHeaders);
    response.writeHead(200, Object.entries(FIELDS).flat()).end('ok');
  });
  const engine = await startEngine(backend.port, { decide: decideFor(backend.port, false) });
  const got = ask(await connect(engine.port), FIELDS);
  await until(() => got.code !== undefined);
  for (const [name, value] of Object.entries(FIELDS)) {
    expect(received[0]).toEqual(expect.arrayContaining([name, value]));
    expect(engine.heads[0]!.headers[name]).toBe(value);
    expect(engine.heads[0]!.field(name)).toBe(value);
  }
});

test('over HTTP/2 to HTTP/2 they pass, in heads and trailers, both ways', async () => {
  const received: string[] = [];
  const heads: http2.IncomingHttpHeaders[] = [];
  const note = (raw: unknown) => received.push(...(raw as string[]));
  const backend = await startHttp2Backend((stream, fields) => {
    heads.push(fields);
    stream.on('trailers', (_fields, _flags, raw) => note(raw));
    stream.respond({ ':status': 200, ...FIELDS }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(FIELDS));
    stream.on('data', () => undefined).on('end', () => stream.end('ok'));
  });
  const engine = await startEngine(backend.upstream.port, { decide: decideFor(backend.upstream.port, true) });
  const session = http2.connect(`http://127.0.0.1:${engine.port}`);
  later(() => session.destroy());
  const stream = session.request({ ':method': 'POST', te: 'trailers', ...FIELDS }, { waitForTrailers: true });
  const heard: string[][] = [];
  stream.on('response', (_fields, _flags, raw?: string[]) => heard.push(raw ?? []));
  stream.on('trailers', (_fields, _flags, raw?: string[]) => heard.push(raw ?? []));
  stream.on('wantTrailers', () => stream.sendTrailers(FIELDS));
  stream.end('body');
  stream.resume();
  await until(() => heard.length === 2 && stream.closed);
  for (const [name, value] of Object.entries(FIELDS)) {
    expect(heads[0]![name]).toBe(value);
    expect(heard[0]).toEqual(expect.arrayContaining([name, value]));
    expect(heard[1]).toEqual(expect.arrayContaining([name, value]));
    expect(received).toEqual(expect.arrayContaining([name, value]));
    expect(engine.heads[0]!.headers[name]).toBe(value);
  }
});

import http, { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { BackendCallReport } from '../../../core/proxy/backend-call';
import { callAdmin, startTestProxy } from '../support/proxy-world';
import { later, stopAll } from '../support/world';

afterEach(stopAll);

interface Seen {
  readonly line: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** A proxy between two backends, and what the other one sees. */
async function start(respond: (response: ServerResponse, request: IncomingMessage) => void) {
  const seen: Seen[] = [];
  const server = http.createServer((request, response) => {
    void text(request).then((body) => {
      seen.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
      respond(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const otherUpstream = { protocol: 'http' as const, host: '127.0.0.1', port };
  const { admin } = await startTestProxy(1, { otherUpstream });
  const call = async (order: unknown) => {
    const got = await callAdmin(admin!.port, { method: 'POST', path: '/backend-call', body: JSON.stringify(order) });
    return { status: got.status, report: JSON.parse(got.body) as BackendCallReport & { problems?: string[] } };
  };
  return { call, seen };
}

const ORDER = {
  to: 'target',
  method: 'POST',
  path: '/freeze?x=1',
  host: 'shop.example.com',
  epoch: 4,
  timeoutMs: 1_000,
};

test('a call reaches the backend of its side, and lacks what those of clients have', async () => {
  const { call, seen } = await start((response) => response.end('{"ok":true}'));
  const body = JSON.stringify({ part: 'freeze' });
  expect(await call({ ...ORDER, body })).toEqual({ status: 200, report: { status: 200, body: '{"ok":true}' } });
  expect(seen).toMatchObject([{ line: 'POST /freeze?x=1', body }]);
  expect(seen[0]?.headers).toMatchObject({
    ...{ host: 'shop.example.com', 'x-drainshift-epoch': '4', 'content-type': 'application/json' },
  });
  expect(seen[0]?.headers['x-forwarded-for']).toBeUndefined();
});

test('a response that says when to call again says it to the caller', async () => {
  const { call } = await start((response) => response.writeHead(202, { 'retry-after': '120' }).end());
  expect((await call(ORDER)).report).toEqual({ status: 202, retryAfter: '120', body: '' });
});

test('a write without a body has none', async () => {
  const { call, seen } = await start((response) => response.writeHead(423).end('frozen'));
  expect((await call({ ...ORDER, method: 'DELETE' })).report).toEqual({ status: 423, body: 'frozen' });
  expect(seen).toMatchObject([{ line: 'DELETE /freeze?x=1', body: '', headers: { 'content-length': '0' } }]);
});

test.each<[string, (response: ServerResponse) => void]>([
  ['hangs', () => undefined],
  [
    'trickles',
    (response) => {
      const timer = setInterval(() => response.write('.'), 20);
      response.once('close', () => clearInterval(timer));
    },
  ],
])('a backend that %s is a problem of the backend, in time', async (_, respond) => {
  const { call } = await start(respond);
  expect((await call({ ...ORDER, timeoutMs: 150 })).report).toEqual({
    upstreamProblem: 'it must respond within 0.15 s, got no response',
  });
});

test('one that is not there, and one that resets, are problems of the backend, too', async () => {
  const { call } = await start((response) => response.destroy());
  expect((await call(ORDER)).report.upstreamProblem).toMatch(/socket hang up|ECONNRESET/);
  expect((await call({ ...ORDER, to: 'source' })).report.upstreamProblem).toMatch(/ECONNREFUSED/);
});

test('of a long response the beginning is enough', async () => {
  const { call } = await start((response) => response.end('x'.repeat(100_000)));
  expect((await call(ORDER)).report.body).toHaveLength(8_192);
});

test('a wrong order is rejected with all its problems, and calls no one', async () => {
  const { call, seen } = await start((response) => response.end());
  const { status, report } = await call({ method: 'GET', path: 'x', epoch: -1, timeoutMs: 0, host: 'a b', more: 1 });
  expect(status).toBe(400);
  expect(report.problems).toEqual([
    '\'more\' must be one of to, method, path, host, epoch, body, timeoutMs, got "more"',
    '\'method\' must be one of POST, PUT, PATCH, DELETE, OPTIONS, got "GET"',
    "'path' must be a path that starts with '/' and has neither a space nor a '#', got \"x\"",
    '\'host\' must be a host, got "a b"',
    "'epoch' must be an integer from 0 to 9007199254740991, got -1",
    "'timeoutMs' must be an integer from 1 to 25000, got 0",
    "'to' must be one of source, target, got nothing",
  ]);
  expect(seen).toEqual([]);
});

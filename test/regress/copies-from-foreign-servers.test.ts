import http, { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TransferOrder } from '../../core/proxy/state-transfer';
import { StateTransfers } from '../../proxy/backend-calls/state-transfers';
import { later, stopAll } from '../proxy/support/world';

afterEach(stopAll);

async function start(listener: RequestListener): Promise<number> {
  const server = http.createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const ORDER: TransferOrder = {
  ...{ id: 'all', kind: 'copy', from: 'source', to: 'target', path: '/state', epoch: 3 },
  ...{ maxBytes: 2 ** 40, limitMs: 60_000, waitMs: 25_000, cancels: false },
};

/** An importer that keeps what has come, and whose connections some responses may break. */
class Importer {
  body = Buffer.alloc(0);
  posts = 0;
  /** @returns whether it has broken the connection */
  breaks: (nth: number) => boolean = () => false;

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const say = () => response.end(JSON.stringify({ ok: true, bytes: this.body.length }));
    if (request.method === 'GET') return void say();
    this.posts += 1;
    const offset = Number(new URL(request.url!, 'http://a').searchParams.get('offset'));
    this.body = this.body.subarray(0, offset);
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) this.body = Buffer.concat([this.body, chunk]);
    } catch {
      return;
    }
    if (this.breaks(this.posts)) request.socket.destroy();
    else say();
  }
}

async function copy(source: RequestListener, importer = new Importer()) {
  const upstream = (port: number) => ({ protocol: 'http' as const, host: '127.0.0.1', port });
  const listener: RequestListener = (...given) => void importer.serve(...given);
  const transfers = new StateTransfers({
    source: upstream(await start(source)),
    target: upstream(await start(listener)),
  });
  const report = await transfers.follow(ORDER);
  return { report, importer };
}

// A server that does not know If-Range responds with a part of whatever there is now.
test('what has another ETag than the beginning is not appended to it', async () => {
  const states = ['aaaaaaaaaa', 'bbbbbbbbbb'];
  let nth = 0;
  const { report, importer } = await copy((request, response) => {
    const state = states[Math.min(nth, 1)]!;
    const fields = { etag: `"${state}"` };
    const [, from] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? [];
    nth += 1;
    if (from !== undefined) {
      response.writeHead(206, { ...fields, 'content-range': `bytes ${from}-9/10` }).end(state.slice(Number(from)));
      return;
    }
    response.writeHead(200, { ...fields, 'content-length': 10 });
    if (nth > 1) response.end(state);
    else response.write(state.slice(0, 5), () => setTimeout(() => response.destroy(), 100));
  });
  expect(report).toMatchObject({ state: 'done', bytes: 10, resumed: 1 });
  expect(importer.body.toString()).toBe('bbbbbbbbbb');
});

// RFC 9110 section 15.5.17: there is no part behind the last byte, and a server of the standard says so by 416.
test('a copy whose last response was lost has arrived', async () => {
  const importer = new Importer();
  importer.breaks = (post) => post === 1;
  let sent = 0;
  const { report } = await copy((request, response) => {
    const fields = { etag: '"1"', 'x-drainshift-state-cursor': 'c1' };
    if (request.headers.range === 'bytes=10-') {
      response.writeHead(416, { ...fields, 'content-range': 'bytes */10' }).end();
      return;
    }
    sent += 1;
    response.writeHead(200, { ...fields, 'content-length': 10 }).end('aaaaaaaaaa');
  }, importer);
  expect(report).toMatchObject({ state: 'done', bytes: 10, resumed: 1, cursor: 'c1' });
  expect([sent, importer.posts, importer.body.toString()]).toEqual([1, 2, 'aaaaaaaaaa']);
});

// Python's http.server responds in HTTP/1.0 unless it is told otherwise: a backend that is killed ends such a body as one that has sent all.
test('an export that ends with its connection is rejected: it may have broken off', async () => {
  const { report } = await copy((request) => {
    request.socket.end('HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\naaaaa');
  });
  expect(report).toMatchObject({
    state: 'failed',
    problem: "'export' of the source must have a Content-Length or come in chunks, got neither",
  });
});

test('a backend that says when is asked then, as often as one whose connection breaks', async () => {
  const asked: number[] = [];
  const { report } = await copy((_, response) => {
    asked.push(performance.now());
    if (asked.length === 1) response.writeHead(429, { 'retry-after': '1' }).end();
    else response.writeHead(200, { 'content-length': 1 }).end('a');
  });
  expect(report).toMatchObject({ state: 'done', resumed: 1 });
  expect(asked[1]! - asked[0]!).toBeGreaterThan(990);
});

test('a list of keys without the end of a line takes no memory without bounds', async () => {
  let sent = 0;
  const port = await start((request, response) => {
    if (!request.url!.endsWith('?keys')) {
      response.end(JSON.stringify({ ok: true, digest: String(request.socket.remotePort) }));
      return;
    }
    const more = () => {
      sent += 1;
      if (!response.destroyed) response.write(Buffer.alloc(65_536, 'x'), () => setImmediate(more));
    };
    more();
  });
  const upstream = { protocol: 'http', host: '127.0.0.1', port } as const;
  const transfers = new StateTransfers({ source: upstream, target: upstream });
  expect(await transfers.follow({ ...ORDER, kind: 'compare', limitMs: 5_000 })).toMatchObject({
    state: 'failed',
    problem: "'digest?keys' of the source must have lines of at most 1048576 bytes, got a longer one",
  });
  expect(sent).toBeLessThan(1_000);
});

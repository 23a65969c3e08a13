import http, { RequestListener } from 'node:http';
import net, { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TransferOrder, TransferReport } from '../../../core/proxy/state-transfer';
import { TransferableState } from '../../../app';
import { StateTransfers } from '../../../proxy/backend-calls/state-transfers';
import { callAdmin, startTestProxy } from '../support/proxy-world';
import { later, stopAll, until } from '../support/world';

afterEach(stopAll);

async function listen(server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function startServer(listener: RequestListener): Promise<number> {
  const server = http.createServer(listener);
  later(() => server.closeAllConnections());
  return listen(server);
}

/** An application with its state in a map. */
async function startApp(entries: Iterable<readonly [string, unknown]> = []) {
  const carts = new Map(entries);
  const state = new TransferableState({ path: '/state', maps: { carts } });
  const port = await startServer(state.wrap((_, response) => response.writeHead(404).end()));
  return { carts, port };
}

/** Passes bytes on, and cuts the first connections after so many of them, whichever way they go. */
async function startCutter(port: number, cuts: readonly number[]): Promise<number> {
  const left = [...cuts];
  const server = net.createServer((client) => {
    const upstream = net.connect(port, '127.0.0.1');
    const limit = left.shift() ?? Infinity;
    let passed = 0;
    const cut = () => {
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    };
    const pass = (from: net.Socket, to: net.Socket) => {
      from.on('error', cut).on('end', () => to.end());
      from.on('data', (chunk: Buffer) => {
        passed += chunk.length;
        if (passed > limit) cut();
        else to.write(chunk);
      });
    };
    pass(client, upstream);
    pass(upstream, client);
  });
  return listen(server);
}

const ORDER: TransferOrder = {
  ...{ id: 'all', kind: 'copy', from: 'source', to: 'target', path: '/state', epoch: 3 },
  ...{ maxBytes: 2 ** 40, limitMs: 60_000, waitMs: 25_000, cancels: false },
};

function between(source: number, target: number) {
  const upstream = (port: number) => ({ protocol: 'http' as const, host: '127.0.0.1', port });
  const transfers = new StateTransfers({ source: upstream(source), target: upstream(target) });
  return (changes: Partial<TransferOrder> = {}) => transfers.follow({ ...ORDER, ...changes });
}

const fill = (count: number): [string, unknown][] =>
  Array.from({ length: count }, (_, at) => [`${at}`, { items: [`thing ${at}`, 'ünï'], at }]);

test('a proxy copies the state of one backend to the other, then what has changed, and compares both', async () => {
  const source = await startApp(fill(5_000));
  const target = await startApp();
  const otherUpstream = { protocol: 'http' as const, host: '127.0.0.1', port: target.port };
  const { admin } = await startTestProxy(source.port, { otherUpstream });
  const call = async (order: object) => {
    const { status, body } = await callAdmin(admin!.port, {
      ...{ method: 'POST', path: '/state-transfer', body: JSON.stringify(order) },
    });
    return { status, ...(JSON.parse(body) as TransferReport) };
  };
  const copied = await call(ORDER);
  expect(copied).toMatchObject({ status: 200, state: 'done', keys: 5_000, resumed: 0 });
  // An order with the id of one that has ended looks at it.
  expect(await call(ORDER)).toEqual(copied);
  source.carts.set('17', 'changed').delete('18');
  const rest = await call({ ...ORDER, id: 'rest', since: copied.cursor });
  expect(rest).toMatchObject({ state: 'done', keys: 2 });
  expect(rest.bytes).toBeLessThan(100);
  expect(Object.fromEntries(target.carts)).toEqual(Object.fromEntries(source.carts));
  const compared = await call({ ...ORDER, id: 'compare', kind: 'compare' });
  expect(compared).toMatchObject({
    state: 'done',
    keys: 4_999,
    digest: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
  });
  target.carts.set('17', 'another').delete('19');
  target.carts.set('new', 1);
  expect((await call({ ...ORDER, id: 'again', kind: 'compare' })).differences).toEqual({
    count: 3,
    first: ["'carts/17' differs", "'carts/19' is missing at the target", "'carts/new' is missing at the source"],
  });
  expect((await call({ ...ORDER, to: 'source' })).status).toBe(400);
});

test.each<[string, readonly number[], readonly number[]]>([
  ['that exports', [200_000, 150_000], []],
  ['that imports', [], [200_000, 100_000]],
  ['on either side, one after the other', [100_000, Infinity, 120_000], [Infinity, 300_000]],
])('a connection to the backend %s breaks: it goes on at the line that has arrived', async (_, ofSource, ofTarget) => {
  const source = await startApp(fill(20_000));
  const target = await startApp();
  const ports = [await startCutter(source.port, ofSource), await startCutter(target.port, ofTarget)] as const;
  const report = await between(...ports)();
  expect(report).toMatchObject({ state: 'done' });
  expect(report.resumed).toBeGreaterThan(0);
  expect(target.carts.size).toBe(20_000);
  expect(Object.fromEntries(target.carts)).toEqual(Object.fromEntries(source.carts));
  // Nothing was begun anew.
  let length = 0;
  for (const [key, value] of source.carts) length += Buffer.byteLength(`${JSON.stringify(['carts', key, value])}\n`);
  expect(report.bytes).toBe(length);
});

test('a backend that is gone is a failure with a reason, after some attempts', async () => {
  const source = await startApp(fill(10));
  const gone = net.createServer();
  const port = await listen(gone);
  gone.close();
  expect(await between(source.port, port)()).toMatchObject({
    state: 'failed',
    resumed: 4,
    problem: expect.stringContaining('ECONNREFUSED') as unknown,
  });
});

test.each<[string, Partial<Record<string, RequestListener>>, Partial<TransferOrder>, string]>([
  [
    'a page for all paths',
    { import: (_, r) => r.end('<h1>Hi</h1>') },
    {},
    'must respond {"ok":true,"bytes":…}, got <h1>Hi',
  ],
  [
    'an export that is not there',
    { export: (_, r) => r.writeHead(404).end() },
    {},
    "'export' of the source must respond with 200, got 404",
  ],
  [
    'an import that says no',
    { import: (_, r) => r.end('{"ok":false,"why":"too many"}') },
    {},
    "'import' of the target must succeed, got too many",
  ],
  [
    'an import that lacks a part',
    { import: (q, r) => void q.resume().on('end', () => r.end('{"ok":true,"bytes":3}')) },
    {},
    'must have 5 bytes, got 3',
  ],
  ['more than is allowed', {}, { maxBytes: 4 }, 'the state must have at most 4 bytes, got more'],
  ['a source without an end', { export: (_, r) => void r.write('x') }, { limitMs: 300 }, 'it must end within 0.3 s'],
  [
    'digests of another form',
    { digest: (_, r) => r.end('{"ok":true}') },
    { kind: 'compare' },
    'must respond {"ok":true,"digest"',
  ],
  [
    'keys in no order',
    {
      digest: (q, r) =>
        r.end(
          q.url!.endsWith('?keys')
            ? '{"key":"b","digest":"1"}\n{"key":"a","digest":"2"}\n'
            : JSON.stringify({ ok: true, digest: String(q.socket.localPort) }),
        ),
    },
    { kind: 'compare' },
    "must be in the order of the bytes of its keys, got 'a' behind 'b'",
  ],
])('%s is a failure with a reason', async (_, parts, changes, problem) => {
  const usual: Record<string, RequestListener> = {
    export: (_request, response) => response.end('12345'),
    import: (request, response) => void request.resume().on('end', () => response.end('{"ok":true,"bytes":5}')),
  };
  const respond: RequestListener = (request, response) => {
    const part = /^\/state\/(\w+)/.exec(request.url!)![1]!;
    ({ ...usual, ...parts })[part]!(request, response);
  };
  const transfer = between(await startServer(respond), await startServer(respond));
  expect(await transfer(changes)).toMatchObject({
    state: 'failed',
    problem: expect.stringContaining(problem) as unknown,
  });
});

test('one that is cancelled ends at once, also before it has begun', async () => {
  let [begun, aborted] = [0, 0];
  const endless = await startServer((request, response) => {
    begun += 1;
    response.on('close', () => (aborted += 1));
    if (request.url!.startsWith('/state/export')) response.write('x');
    else request.resume();
  });
  const transfer = between(endless, endless);
  expect(await transfer({ waitMs: 0 })).toMatchObject({ state: 'running' });
  await until(() => begun === 2);
  expect(await transfer({ cancels: true })).toMatchObject({ state: 'failed', problem: 'it was cancelled' });
  expect(await transfer({ id: 'another', cancels: true })).toMatchObject({ problem: 'it was cancelled', bytes: 0 });
  await until(() => aborted === 2);
});

test('a state that is larger than what memory may take is passed on as fast as it is taken', async () => {
  const MIB = 2 ** 20;
  const total = 256 * MIB;
  const source = await startServer((_, response) => {
    function* chunks() {
      for (let sent = 0; sent < total; sent += MIB) yield Buffer.alloc(MIB, 'x');
    }
    void pipeline(Readable.from(chunks()), response);
  });
  let received = 0;
  let most = 0;
  const before = process.memoryUsage().rss;
  const target = await startServer((request, response) => {
    request.on('data', (chunk: Buffer) => {
      received += chunk.length;
      most = Math.max(most, process.memoryUsage.rss() - before);
    });
    request.on('end', () => response.end(JSON.stringify({ ok: true, bytes: received })));
  });
  expect(await between(source, target)()).toMatchObject({ state: 'done', bytes: total });
  expect(most).toBeLessThan(128 * MIB);
});

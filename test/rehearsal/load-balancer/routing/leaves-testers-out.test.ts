import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { SMOKE_AGENT } from '../../../../core/plan/smoke';
import { sumActive } from '../../../../core/cutover/drain-run';
import { HEALTH_PATH } from '../../../../core/proxy/admin-api';
import { ProxyChanges, TestProxy, startTestProxy } from '../../../proxy/support/proxy-world';
import { later, stopAll } from '../../../proxy/support/world';
import { until } from '../../../support/until';
import { Fixture, forward } from '../fixture';

// What a proxy tells the judge of a cutover about requests that came by the listener of one side alone, behind the rehearsal's load balancer.

const TRAFFIC = 'listener';
const TESTERS = 'testers';
const HOST = 'shop.example.com';

afterEach(stopAll);

interface Chain {
  readonly proxy: TestProxy;
  readonly cloud: Fixture;
  /** What the judge reads: of the windows, and of the counters since the start. */
  seen(): Promise<{
    arrived: number;
    unbound: number;
    responded: number;
    errors: number;
    counted: number;
    failed: number;
  }>;
}

async function startChain(changes: ProxyChanges = { smokeTestPorts: ['9202'] }): Promise<Chain> {
  const backend = http.createServer((request, response) => {
    if (request.url === '/slow') return;
    response.writeHead(request.url?.endsWith('/broken') ? 500 : 200).end('ok');
  });
  const sockets = new WebSocketServer({ server: backend, path: '/socket' });
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  later(() => void backend.close());
  const proxy = await startTestProxy((backend.address() as AddressInfo).port, {
    side: 'target',
    tls: 'self-signed',
    ...changes,
  });
  const cloud = new Fixture();
  const check = { protocol: 'HTTPS', path: HEALTH_PATH } as const;
  for (const [name, version] of [
    ['target', 'HTTP1'],
    ['streams', 'HTTP2'],
  ] as const) {
    cloud.model.targetGroups.set(name, { ...cloud.addGroup(name, { check, version }), protocol: 'HTTPS' });
  }
  cloud.model.listeners.set(TESTERS, { ...cloud.model.listener(TRAFFIC), arn: TESTERS, templatePort: 9202 });
  for (const listenerArn of [TRAFFIC, TESTERS]) {
    const rule = { listenerArn, actions: [forward([['target', 1]])], conditions: [] };
    const streams = { field: 'path-pattern' as const, values: ['/streams*'] };
    cloud.model.rules.set(`${listenerArn}2`, { ...rule, arn: `${listenerArn}2`, priority: 2 });
    const first = { ...rule, actions: [forward([['streams', 1]])], conditions: [streams] };
    cloud.model.rules.set(`${listenerArn}1`, { ...first, arn: `${listenerArn}1`, priority: 1 });
  }
  cloud.model.rules.delete('rule');
  await cloud.start();
  later(() => cloud.stop());
  for (const group of ['target', 'streams']) {
    cloud.server.targets.register(group, [{ id: '127.0.0.1', port: proxy.data.port }]);
    await cloud.healthy(group, 1);
  }
  const now = Math.floor(Date.now() / 1000);
  const seen = async () => {
    const { all } = await proxy.target.window({ watch: 'w', now, after: now - 10, until: now + 100, routes: [] });
    const { total, errors } = proxy.report().requests;
    const { requests: arrived, unbound, responded } = all;
    return { arrived, unbound, responded, errors: all.errors, counted: total, failed: errors };
  };
  return { proxy, cloud, seen };
}

const portOf = ({ cloud }: Chain, listener: string) => cloud.model.listener(listener).port;
const NONE = { arrived: 0, unbound: 0, responded: 0, errors: 0, counted: 0, failed: 0 };

/** Each way of asking; all respond with a status. */
const WAYS = {
  'HTTP/1.1': (chain: Chain, listener: string, path: string, headers: http.OutgoingHttpHeaders = {}) =>
    new Promise<number>((resolve, reject) => {
      const at = {
        host: '127.0.0.1',
        port: portOf(chain, listener),
        servername: HOST,
        ca: chain.cloud.certificate.cert,
      };
      const request = https.get({ ...at, path, headers: { host: HOST, ...headers }, agent: false }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
      });
      request.on('error', reject);
    }),
  'HTTP/2': async (chain: Chain, listener: string, path: string, headers: http.OutgoingHttpHeaders = {}) => {
    const session = http2.connect(`https://127.0.0.1:${portOf(chain, listener)}`, {
      servername: HOST,
      ca: chain.cloud.certificate.cert,
    });
    later(() => session.destroy());
    const stream = session.request({ ':path': `/streams${path}`, ':authority': HOST, ...headers });
    const [response] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders & { ':status'?: number }];
    stream.resume();
    await once(stream, 'close');
    session.close();
    return response[':status'] ?? 0;
  },
} as const;

async function openSocket(chain: Chain, listener: string): Promise<WebSocket> {
  const { cert } = chain.cloud.certificate;
  const options = { ca: cert, servername: HOST, headers: { host: HOST } };
  const socket = new WebSocket(`wss://127.0.0.1:${portOf(chain, listener)}/socket`, options);
  later(() => socket.terminate());
  await once(socket, 'open');
  const echo = once(socket, 'message');
  socket.send('hello');
  expect(String((await echo)[0])).toBe('hello');
  return socket;
}

test.each(Object.keys(WAYS) as (keyof typeof WAYS)[])(
  'requests of testers over %s are served, and the judge hears of none',
  async (way) => {
    const chain = await startChain();
    const ask = WAYS[way];
    expect(await ask(chain, TESTERS, '/')).toBe(200);
    expect(await ask(chain, TESTERS, '/', { cookie: 'AWSALBTG=bound' })).toBe(200);
    expect(await ask(chain, TESTERS, '/broken')).toBe(500);
    // The load balancer writes the field itself.
    expect(await ask(chain, TESTERS, '/', { 'x-forwarded-port': '443' })).toBe(200);
    expect(await chain.seen()).toEqual(NONE);
    expect(await chain.proxy.metrics.getSingleMetricAsString('drainshift_requests_total')).toMatch(/"2xx"\} 3\n/);
    expect(await ask(chain, TRAFFIC, '/', { 'x-forwarded-port': '9202' })).toBe(200);
    await until(async () => (await chain.seen()).responded === 1);
    expect(await chain.seen()).toEqual({ ...NONE, arrived: 1, unbound: 1, responded: 1, counted: 1 });
  },
);

test('a WebSocket of a tester counts as live, is drained as any other, and is no arrival', async () => {
  const chain = await startChain();
  const sockets = [await openSocket(chain, TESTERS), await openSocket(chain, TRAFFIC)];
  expect(await chain.seen()).toEqual({ ...NONE, arrived: 1, unbound: 1, responded: 1, counted: 1 });
  expect(chain.proxy.report().active.websocket).toBe(2);
  const closed = Promise.all(sockets.map((socket) => once(socket, 'close')));
  const perKindSeconds = { http: 0, websocket: 0, grpcStream: 0, serverSentEvents: 0, streaming: 0 };
  await chain.proxy.target.drain({ perKindSeconds, closeRatePerSecond: 1000, jitter: 0 });
  expect((await closed).map(([code]) => code as number)).toEqual([1012, 1012]);
  await until(() => chain.proxy.report().active.websocket === 0);
  expect(chain.proxy.report().ended.websocket.closed).toBe(2);
  expect(await chain.seen()).toMatchObject({ arrived: 1, errors: 0, counted: 1, failed: 0 });
});

test('smoke requests of the cutover stay in the counters, from which its steps subtract them', async () => {
  const chain = await startChain();
  await WAYS['HTTP/1.1'](chain, TESTERS, '/', { 'user-agent': SMOKE_AGENT });
  expect(await chain.seen()).toEqual({ ...NONE, counted: 1 });
});

test('without the setting every request counts, by whichever listener it came', async () => {
  const chain = await startChain({});
  await WAYS['HTTP/1.1'](chain, TESTERS, '/');
  await WAYS['HTTP/1.1'](chain, TRAFFIC, '/broken');
  await until(async () => (await chain.seen()).responded === 2);
  expect(await chain.seen()).toEqual({ arrived: 2, unbound: 2, responded: 2, errors: 1, counted: 2, failed: 1 });
});

test('a stream that a draining proxy rejects is none of the traffic either, where a tester asked for it', async () => {
  const chain = await startChain();
  const perKindSeconds = { http: 9, websocket: 9, grpcStream: 9, serverSentEvents: 9, streaming: 9 };
  await chain.proxy.target.drain({ perKindSeconds, closeRatePerSecond: 1000, jitter: 0 });
  const ask = (listener: string) => WAYS['HTTP/1.1'](chain, listener, '/', { accept: 'text/event-stream' });
  expect(await ask(TESTERS)).toBe(503);
  expect((await chain.seen()).counted).toBe(0);
  expect(await ask(TRAFFIC)).toBe(503);
  expect((await chain.seen()).counted).toBe(1);
});

test('requests of testers that are in flight are in the ledger, and keep no drain of the cutover waiting', async () => {
  const chain = await startChain();
  const open = (listener: string) => {
    const at = { host: '127.0.0.1', port: portOf(chain, listener), servername: HOST, ca: chain.cloud.certificate.cert };
    const request = https.get({ ...at, path: '/slow', headers: { host: HOST }, agent: false });
    request.on('error', () => undefined);
    later(() => void request.destroy());
    return request;
  };
  const live = () => {
    const report = chain.proxy.report();
    return [report.active.http, sumActive([{ id: 'a', address: 'a', life: 'running', report }]).http];
  };
  const [tester, client] = [open(TESTERS), open(TRAFFIC)];
  await until(() => live()[0] === 2);
  expect(live()).toEqual([2, 1]);
  client.destroy();
  await until(() => live()[0] === 1);
  expect(live()).toEqual([1, 0]);
  tester.destroy();
  await until(() => live()[0] === 0);
  expect(chain.proxy.report()).not.toHaveProperty('ofTesters');
});

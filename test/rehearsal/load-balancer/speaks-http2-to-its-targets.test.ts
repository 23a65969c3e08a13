import http2, { Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Http2Transport } from '../../../rehearsal/traffic/transport/http2-transport';
import type { HttpResponse, HttpRequest } from '../../../rehearsal/traffic/transport/transport';
import { until } from '../../support/until';
import { Fixture, forward } from './fixture';

interface Seen {
  readonly version: string;
  readonly host: string | undefined;
  readonly body: string;
}

let cloud: Fixture;
let seen: Seen[];
let healthChecks: string[];
const servers: Http2Server[] = [];
const transports: Http2Transport[] = [];

beforeEach(async () => {
  [seen, healthChecks] = [[], []];
  cloud = new Fixture();
  cloud.addGroup('source', { version: 'HTTP2' });
  cloud.setAction(forward([['source', 100]], 60));
  await cloud.start();
});
afterEach(async () => {
  for (const transport of transports.splice(0)) transport.close();
  await cloud.stop();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** A target that speaks HTTP/2 without TLS, and nothing else. */
async function http2Target(health = 200): Promise<void> {
  const server = http2.createServer((request, response) => {
    if (request.url === '/health') {
      healthChecks.push(`${request.httpVersion} ${request.headers['user-agent']}`);
      return void response.writeHead(health).end();
    }
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      seen.push({ version: request.httpVersion, host: request.authority, body });
      response.end(`got ${body.length}`);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cloud.server.targets.register('source', [{ id: '127.0.0.1', port: (server.address() as AddressInfo).port }]);
}

function send(request: HttpRequest): Promise<HttpResponse> {
  const [serverName, authority] = ['shop.example.com', 'shop.example.com'];
  const transport = new Http2Transport(
    { host: '127.0.0.1', port: cloud.port, ca: cloud.certificate.cert, serverName, authority },
    () => undefined,
  );
  transports.push(transport);
  return transport.send(request);
}

test('requests reach a group of HTTP/2 in HTTP/2, with their bodies and cookies', async () => {
  await http2Target();
  await cloud.healthy('source', 1);
  const response = await send({ method: 'POST', path: '/', body: Buffer.alloc(100_000, 'x'), chunked: true });
  expect([response.status, response.body.toString()]).toEqual([200, 'got 100000']);
  expect(String(response.headers['set-cookie'])).toContain('AWSALBTG=');
  await send({ method: 'GET', path: '/' });
  const host = 'shop.example.com';
  expect(seen).toEqual([
    { version: '2.0', host, body: 'x'.repeat(100_000) },
    { version: '2.0', host, body: '' },
  ]);
});

test('464 for clients of HTTP/1.1, and their requests reach no one', async () => {
  await http2Target();
  await cloud.healthy('source', 1);
  const response = await cloud.get('/');
  expect([response.status, response.headers.server]).toEqual([464, 'awselb/2.0']);
  expect(seen).toEqual([]);
});

test('no gRPC where the group is one of HTTP/1.1', async () => {
  cloud.addGroup('target');
  cloud.setAction(forward([['target', 1]]));
  await cloud.target('target', 'target');
  await cloud.healthy('target', 1);
  const call = { method: 'POST', path: '/', headers: { 'content-type': 'application/grpc' } } as const;
  // To a call the response is put in the words of gRPC.
  expect((await send({ ...call, body: Buffer.alloc(5) })).headers).toMatchObject({ 'grpc-status': '2' });
  expect((await send({ method: 'GET', path: '/' })).status).toBe(200);
});

test('health is asked in HTTP/2: a target without it is unhealthy, and so is one that says so', async () => {
  await http2Target();
  await http2Target(503);
  await cloud.target('source', 'of HTTP/1.1');
  const states = () => [...cloud.model.targetGroup('source').targets.values()].map(({ state }) => state);
  await until(() => states().join() === 'healthy,unhealthy,unhealthy');
  expect(new Set(healthChecks)).toEqual(new Set(['2.0 ELB-HealthChecker/2.0']));
  const [, rejecting, without] = [...cloud.model.targetGroup('source').targets.values()];
  expect(rejecting?.reason?.code).toBe('Target.ResponseCodeMismatch');
  expect(without?.reason?.code).toBe('Target.FailedHealthChecks');
});

test('a target that accepts and says nothing is late', async () => {
  cloud.addGroup('source', { version: 'HTTP2', check: { timeoutSeconds: 0.1 } });
  const server = http2.createServer(() => undefined);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cloud.server.targets.register('source', [{ id: '127.0.0.1', port: (server.address() as AddressInfo).port }]);
  const target = () => [...cloud.model.targetGroup('source').targets.values()][0];
  await until(() => target()?.state === 'unhealthy');
  expect(target()?.reason?.code).toBe('Target.Timeout');
});

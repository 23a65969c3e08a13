import http from 'node:http';
import net, { Socket } from 'node:net';
import { ListObjectsV2Command, GetObjectCommand } from '@aws-sdk/client-s3';
import { gunzipSync } from 'node:zlib';
import { parseExportLine } from '../../../core/capture/export-line';
import type { TrafficStream } from '../../../core/capture/traffic-stream';
import { LocalCloud, REGION, startLocalCloud } from '../../rehearsal/aws/world';
import { ProxyBundle, ProxyProcess, bundleProxy, killAll, listening } from '../support/proxy-process';
import { findPort, later, startBackend, stopAll, until } from '../support/world';

const CLIENTS = 12;
const Bucket = 'store';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

/** A way to the store that can be cut: as if the process of the store were killed, and started again. */
async function startRelay(url: string) {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  const server = net.createServer((socket) => {
    const store = net.connect(Number(port), hostname);
    for (const each of [socket, store]) {
      sockets.add(each);
      each.on('error', () => undefined).on('close', () => (socket.destroy(), store.destroy()));
    }
    socket.pipe(store).pipe(socket);
  });
  const open = (at: number) => new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve));
  await open(0);
  const at = findPort(server);
  const cut = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  later(cut);
  return { url: `http://127.0.0.1:${at}`, cut, open: () => open(at) };
}

interface Writes {
  /** The numbers that its client saw succeed, in their order. */
  readonly succeeded: number[];
  readonly statuses: Map<number | string, number>;
  stop(): Promise<void>;
}

/** A client that counts for itself: one write after the other over a connection that is kept, each with its own number. */
function startWriter(name: number, port: () => number): Writes {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const succeeded: number[] = [];
  const statuses = new Map<number | string, number>();
  let isStopped = false;
  const write = (number: number) =>
    new Promise<number | string>((resolve) => {
      const options = { host: '127.0.0.1', port: port(), agent, method: 'POST', path: `/writes/${name}` };
      const request = http.request(options, (response) => {
        response.resume().on('end', () => resolve(response.statusCode!));
        response.on('error', ({ message }) => resolve(message));
      });
      request.on('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? error.message));
      request.end(`${name}:${number};`);
    });
  const run = async () => {
    for (let number = 0; !isStopped; number += 1) {
      const outcome = await write(number);
      if (outcome === 200) succeeded.push(number);
      statuses.set(outcome, (statuses.get(outcome) ?? 0) + 1);
      if (outcome !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const running = run();
  const stop = async () => {
    isStopped = true;
    await running;
    agent.destroy();
  };
  later(stop);
  return { succeeded, statuses, stop };
}

async function readStore({ s3 }: LocalCloud): Promise<TrafficStream[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'captured/' }));
  const texts = await Promise.all(
    Contents.map(async ({ Key }) => {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: Key! }));
      return gunzipSync(await Body!.transformToByteArray()).toString();
    }),
  );
  return texts.flatMap((text) => text.trimEnd().split('\n')).map(parseExportLine);
}

/** The writes of the record by their client, in the order of each process; and how often one request id has a body. */
function listWrites(streams: readonly TrafficStream[]) {
  const dropped = new Set<string>();
  const bodies = new Map<string, string>();
  for (const { connectionId, priorRequests, observations } of streams) {
    const id = `${connectionId}.${priorRequests}`;
    for (const each of observations) {
      if (each.kind === 'dropped') dropped.add(id);
      if (each.kind === 'read') bodies.set(id, (bodies.get(id) ?? '') + Buffer.from(each.data).toString());
    }
  }
  return [...bodies].map(([id, text]) => ({
    id,
    isDropped: dropped.has(id),
    // One write for each id: a record that stood twice would have two.
    found: [...text.matchAll(/(\d+):(\d+);/g)].map(([, client, number]) => [Number(client), Number(number)] as const),
  }));
}

test('store and proxies are killed under load: every write that a client saw succeed is in the record, in order, once', async () => {
  const received: string[] = [];
  const backend = await startBackend((request, response) => {
    let body = '';
    request.on('data', (bytes: Buffer) => (body += bytes.toString()));
    request.on('end', () => (received.push(body), response.end('ok')));
  });
  const cloud = await startLocalCloud();
  later(() => cloud.stop());
  const store = await startRelay(cloud.url);
  const start = (listen: string): ProxyProcess =>
    bundle.run(['--listen', listen, '--upstream', `http://127.0.0.1:${backend.port}`, '--workers', '2'], {
      ...{ DRAINSHIFT_CAPTURE: `s3://${Bucket}/captured`, DRAINSHIFT_CAPTURE_TIMEOUT_SECONDS: '1' },
      ...{ AWS_ENDPOINT_URL: store.url, AWS_REGION: REGION, AWS_ACCESS_KEY_ID: 'PROXY', AWS_SECRET_ACCESS_KEY: 'none' },
    });
  let proxy = start('127.0.0.1:0');
  const { port } = await listening(proxy);
  const writers = Array.from({ length: CLIENTS }, (_, name) => startWriter(name, () => port));
  const count = (status: number | string) =>
    writers.reduce((sum, { statuses }) => sum + (statuses.get(status) ?? 0), 0);
  const more = async (status: number, by: number) => {
    const before = count(status);
    await until(() => count(status) >= before + by);
  };

  await more(200, 200);
  store.cut();
  await more(503, 20);
  await store.open();
  await more(200, 200);
  for (let killed = 0; killed < 3; killed += 1) {
    killAll(proxy.child);
    await proxy.exit;
    proxy = start(`127.0.0.1:${port}`);
    await listening(proxy);
    await more(200, 200);
  }
  // Both at once.
  store.cut();
  killAll(proxy.child);
  await proxy.exit;
  await store.open();
  proxy = start(`127.0.0.1:${port}`);
  await listening(proxy);
  await more(200, 100);
  for (const { stop } of writers) await stop();
  proxy.child.kill('SIGTERM');
  await proxy.exit;

  // Honest: what failed says so, or its connection was cut.
  const outcomes = new Set(writers.flatMap(({ statuses }) => [...statuses.keys()]));
  for (const each of [200, 503, 'ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'socket hang up', 'aborted'])
    outcomes.delete(each);
  expect([...outcomes]).toEqual([]);
  const writes = listWrites(await readStore(cloud));
  expect(writes.filter(({ found }) => found.length !== 1)).toEqual([]);
  const recorded = new Set(writes.filter(({ isDropped }) => !isDropped).map(({ found }) => found[0]!.join(':')));
  const succeeded = writers.flatMap((each, name) => each.succeeded.map((number) => `${name}:${number}`));
  expect(succeeded.length).toBeGreaterThan(1_000);
  expect(succeeded.filter((write) => !recorded.has(write))).toEqual([]);
  // What reached the backend is in the record, too, whether its client heard of it or not; and nothing that was dropped did.
  expect(received.filter((body) => !recorded.has(body.replace(';', '')))).toEqual([]);
  // Those of one connection stand in the order in which they were sent.
  const byConnection = new Map<string, number[]>();
  for (const { id, found } of writes) {
    const connection = id.slice(0, id.lastIndexOf('.'));
    byConnection.set(connection, [...(byConnection.get(connection) ?? []), found[0]![1]]);
  }
  for (const numbers of byConnection.values()) expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
});

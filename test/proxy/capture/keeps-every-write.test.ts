import net, { Socket } from 'node:net';
import { ListObjectsV2Command, GetObjectCommand } from '@aws-sdk/client-s3';
import { gunzipSync } from 'node:zlib';
import { parseExportLine } from '../../../core/capture/export-line';
import type { TrafficStream } from '../../../core/capture/traffic-stream';
import { LocalCloud, REGION, startLocalCloud } from '../../rehearsal/aws/world';
import { ProxyBundle, ProxyProcess, bundleProxy, killAll, listening } from '../support/proxy-process';
import { findPort, later, startBackend, stopAll } from '../support/world';
import { countOutcomes, judgeWrites, startWriter } from './numbered-writes';

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
  const { more } = countOutcomes(writers);

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

  judgeWrites(writers, await readStore(cloud), received);
});

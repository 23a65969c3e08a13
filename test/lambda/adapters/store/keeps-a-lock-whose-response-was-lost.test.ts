import { once } from 'node:events';
import { IncomingMessage, Server, ServerResponse, createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import { begin } from '../../../../core/cutover/run';
import { parsePlan } from '../../../../core/plan/plan';
import { storePort } from '../../../../lambda/adapters/store/store';
import { REGION, LocalCloud, startLocalCloud } from '../../../rehearsal/aws/world';

let cloud: LocalCloud;
let relay: Server;
/** What happens, once, between the put of a lock that is held and its response, which is lost. */
let whileLost: (() => void) | undefined;

beforeEach(async () => {
  cloud = await startLocalCloud();
  relay = createServer((request, response) => void pass(request, response));
  await once(relay.listen(0, '127.0.0.1'), 'listening');
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'LAMBDA',
    AWS_SECRET_ACCESS_KEY: 'none',
  });
});
afterEach(async () => {
  relay.closeAllConnections();
  relay.close();
  await cloud.stop();
});

async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body: Buffer[] = [];
  for await (const chunk of request) body.push(chunk as Buffer);
  const { host, ...headers } = request.headers as Record<string, string>;
  delete headers['transfer-encoding'];
  const received = await fetch(`${cloud.url}${request.url}`, {
    method: request.method,
    headers: { ...headers, 'x-host': host ?? '' },
    ...(body.length > 0 && { body: Buffer.concat(body) }),
  });
  const content = Buffer.from(await received.arrayBuffer());
  const isLost = whileLost !== undefined && headers['if-match'] !== undefined;
  if (!isLost) return void response.writeHead(received.status, Object.fromEntries(received.headers)).end(content);
  expect(received.status).toBe(200);
  whileLost?.();
  whileLost = undefined;
  response.destroy();
}

const run = begin('night', '2026-01-01T00:00:00.000Z', parsePlan({}));

test('what was saved is saved, though its response was lost and the second put found other content', async () => {
  const store = storePort('store');
  await store.acquire(run);
  whileLost = () => undefined;
  await store.save({ ...run, waitSeconds: 42 });
  expect(whileLost).toBeUndefined();
  expect((await store.holder())?.waitSeconds).toBe(42);
});

test('a lock that someone else has by then is lost, and its holder is named', async () => {
  const store = storePort('store');
  await store.acquire(run);
  whileLost = () =>
    cloud.objects.put('store', 'lock.json', Buffer.from(JSON.stringify({ ...run, execution: 'another' })));
  await expect(store.save({ ...run, waitSeconds: 42 })).rejects.toMatchObject({
    code: 'LockLost',
    message: expect.stringContaining("got one held by 'another'") as string,
  });
});

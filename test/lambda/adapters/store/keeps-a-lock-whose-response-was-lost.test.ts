import type { ServerResponse } from 'node:http';
import { begin } from '../../../../core/cutover/run';
import { parsePlan } from '../../../../core/plan/plan';
import { storePort } from '../../../../lambda/adapters/store/store';
import { LocalCloud, startLocalCloud } from '../../../rehearsal/aws/world';
import { callEndpoint } from '../world';
import { startRelay, type Relayed } from './relay';

let cloud: LocalCloud;
let relay: Awaited<ReturnType<typeof startRelay>>;
/** What happens, once, between the put of a lock that is held and its response, which is lost. */
let whileLost: (() => void) | undefined;

beforeEach(async () => {
  cloud = await startLocalCloud();
  relay = await startRelay(cloud.url, pass);
  callEndpoint(relay.url);
});
afterEach(async () => {
  relay.stop();
  await cloud.stop();
});

async function pass({ headers, forward }: Relayed, response: ServerResponse): Promise<void> {
  const received = await forward();
  const isLost = whileLost !== undefined && headers['if-match'] !== undefined;
  if (!isLost) return void response.writeHead(received.status, received.headers).end(received.content);
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

import pino from 'pino';
import { readConfig } from '../../../proxy/config/config';
import { RunningProxy, startProxy } from '../../../proxy/control/proxy';
import { Running, startBackend } from '../../../rehearsal/backend/backend';
import { startStore } from '../../../rehearsal/backend/store';
import { Generators } from '../../../rehearsal/traffic/generators';
import { nothingLost } from '../../../rehearsal/traffic/counting/tally';
import { Fixture, forward } from '../load-balancer/fixture';
import { until } from '../../support/until';

let store: Running;
let backend: Running;
let proxy: RunningProxy;
let cloud: Fixture;

beforeAll(async () => {
  store = await startStore();
  backend = await startBackend({ side: 'source', storeUrl: store.url });
  proxy = await startProxy(resolveConfig(backend.url), pino({ level: 'silent' }));
  cloud = await new Fixture().start();
  const attributes = { 'stickiness.enabled': 'true' };
  const group = cloud.addGroup('source', { version: 'HTTP2', attributes, check: { path: '/.drainshift/health' } });
  // The constructs' groups speak TLS to the proxies.
  Object.assign(group, { protocol: 'HTTPS', healthCheck: { ...group.healthCheck, protocol: 'HTTPS' } });
  cloud.setAction(forward([['source', 100]], 60));
  cloud.server.targets.register('source', [{ id: proxy.data.host, port: proxy.data.port }]);
  await cloud.healthy('source', 1);
});
afterAll(async () => {
  await cloud.stop();
  await proxy.close();
  await backend.stop();
  await store.stop();
});

function resolveConfig(upstream: string): ReturnType<typeof readConfig> {
  const environment = {
    DRAINSHIFT_LISTEN: '127.0.0.1:0',
    DRAINSHIFT_UPSTREAM: upstream,
    DRAINSHIFT_TLS: 'self-signed',
  };
  return readConfig({ flags: {}, environment, file: undefined, readText: () => '' });
}

test('shoppers, readers, uploads and event streams lose nothing over a group of HTTP/2, where HTTP/1.1 gets 464', async () => {
  const generators = new Generators({
    origin: 'https://shop.example.com',
    connectTo: { host: '127.0.0.1', port: cloud.port },
    ca: cloud.certificate.cert,
    rates: {
      shop: 20,
      keepAlive: 20,
      newConnection: 20,
      http2: 20,
      echo: 20,
      webSockets: 5,
      eventStreams: 3,
      chats: 3,
    },
    isHttp2Only: true,
  });
  const { recorder } = generators;
  generators.start();
  await until(() => recorder.http.ok > 100 && recorder.live.serverSentEvents === 3);
  await until(() => recorder.serverSentEvents.events > 10 && recorder.streaming.whole >= 3);
  await generators.stop();

  const tally = recorder.tally();
  expect(tally.failures).toEqual([]);
  expect(nothingLost(tally)).toBe(true);
  expect(tally.websocket.clients).toBe(0);
  expect(tally.serverSentEvents).toMatchObject({ opened: 3, endedCleanly: 3 });
  expect(tally.streaming).toMatchObject({ asked: tally.streaming.whole, cut: 0, truncated: 0, wrong: 0 });
  expect(recorder.live.serverSentEvents).toBe(0);
  expect(proxy.report().active.http).toBe(0);
});

test('event streams over HTTP/2 notice one that was cut', async () => {
  const generators = new Generators({
    origin: 'https://shop.example.com',
    connectTo: { host: '127.0.0.1', port: cloud.port },
    ca: cloud.certificate.cert,
    rates: { shop: 0, keepAlive: 0, newConnection: 0, http2: 0, echo: 0, webSockets: 0, eventStreams: 1, chats: 0 },
    isHttp2Only: true,
  });
  const { recorder } = generators;
  generators.start();
  await until(() => recorder.serverSentEvents.events > 0);
  const { attributes, targets } = cloud.model.targetGroup('source');
  attributes.set('deregistration_delay.timeout_seconds', '0');
  const address = { id: proxy.data.host, port: proxy.data.port };
  cloud.server.targets.deregister('source', [address]);
  await until(() => targets.size === 0);
  cloud.server.targets.register('source', [address]);
  await until(() => recorder.serverSentEvents.opened === 2);
  await generators.stop();
  expect(recorder.tally().failures[0]).toMatch(/expected a stream with an end, got .*NGHTTP2_INTERNAL_ERROR/);
});

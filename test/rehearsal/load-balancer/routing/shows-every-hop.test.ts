import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import type { SettingValue } from '../../../../core/proxy/settings/setting-names';
import { findView } from '../../../../rehearsal/cloud/application-view';
import { clientAddress } from '../../../../rehearsal/processes/loopback';
import { hopsLine, hopsRows } from '../../../../rehearsal/report/hops';
import { startTestProxy } from '../../../proxy/support/proxy-world';
import { later, stopAll } from '../../../proxy/support/world';
import { Fixture } from '../fixture';

// What an Express application takes for its client's address, behind the rehearsal's load balancer and a real proxy.

const CLIENT = clientAddress(7);
const BALANCER = '127.0.77.1';
const PROXY = '127.0.77.2';
const NAMES = { [CLIENT]: 'client', [BALANCER]: 'load balancer', [PROXY]: 'proxy' };

afterEach(stopAll);

interface Seen {
  readonly ip: string;
  readonly connectedFrom: string;
  readonly forwardedFor?: string;
}

async function startChain(forwardedFor: SettingValue<'forwarded_for'>) {
  const app = express();
  app.get('/health', (_request, response) => void response.send('ok'));
  app.get('/', (request, response) => {
    const { ip, socket } = request;
    response.json({ ip, connectedFrom: socket.remoteAddress, forwardedFor: request.get('x-forwarded-for') });
  });
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  later(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const proxy = await startTestProxy(port, {
    forwardedFor,
    upstream: { protocol: 'http', host: '127.0.0.1', port, localAddress: PROXY },
  });
  const cloud = await new Fixture().start({ localAddress: BALANCER });
  later(() => cloud.stop());
  cloud.server.targets.register('source', [{ id: '127.0.0.1', port: proxy.data.port }]);
  await cloud.healthy('source', 1);
  return async (trust: number | string[]): Promise<Seen> => {
    app.set('trust proxy', trust);
    return JSON.parse((await cloud.get('/', {}, CLIENT)).body) as Seen;
  };
}

test('append: one hop is the load balancer, which can be distinguished from the client now; two hops are the client', async () => {
  const ask = await startChain('append');
  expect(await ask(1)).toEqual({ ip: BALANCER, connectedFrom: PROXY, forwardedFor: `${CLIENT}, ${BALANCER}` });
  expect((await ask(2)).ip).toBe(CLIENT);
  expect((await ask(['127.0.77.0/24'])).ip).toBe(CLIENT);
});

test('preserve: one hop is the client, as before the proxies', async () => {
  const ask = await startChain('preserve');
  expect(await ask(1)).toEqual({ ip: CLIENT, connectedFrom: PROXY, forwardedFor: CLIENT });
  expect((await ask(['127.0.77.0/24'])).ip).toBe(CLIENT);
});

test.each(['append', 'preserve'] as const)(
  '%s: the report names the hops to trust as Express counts them',
  async (mode) => {
    const ask = await startChain(mode);
    const { trustedHops } = findView(await ask(0), CLIENT, NAMES);
    expect((await ask(trustedHops ?? 0)).ip).toBe(CLIENT);
  },
);

test('the report says whose address is which, once where both sides see the same', () => {
  const append = findView({ connectedFrom: PROXY, forwardedFor: `${CLIENT}, ${BALANCER}` }, CLIENT, NAMES);
  const preserve = findView({ connectedFrom: PROXY, forwardedFor: CLIENT }, CLIENT, NAMES);
  const removed = findView({ connectedFrom: PROXY }, CLIENT, NAMES);
  const behind =
    'X-Forwarded-For: client, load balancer, over a connection of the proxy: trust 2 hops to find the client';
  expect(hopsLine({ source: append, target: append })).toBe(behind);
  expect(hopsLine({ source: append, target: preserve })).toBe(
    `source ${behind}; target X-Forwarded-For: client, over a connection of the proxy: trust 1 hop to find the client`,
  );
  expect(hopsRows({ source: append, target: removed })).toEqual([
    [
      'source',
      `${PROXY} (proxy)`,
      `${CLIENT} (client), ${BALANCER} (load balancer)`,
      'trust 2 hops to find the client',
    ],
    ['target', `${PROXY} (proxy)`, 'none', "the client's address IS NOWHERE"],
  ]);
});

import https from 'node:https';
import type { CertificatePair } from '../../../proxy/data-plane/tls13/tls13-check';
import { later, selfSigned, stopAll, until } from '../support/world';
import { Counter, Generation, bundleGeneration, startEcho } from './support/generations';

const bundle = bundleGeneration();
let certificate: CertificatePair;
beforeAll(async () => void (certificate = await selfSigned()));
afterEach(stopAll);
afterAll(() => bundle.remove());

/** A busy machine may need several attempts to see that they can go. */
async function handOverAll(old: Generation, next: Generation): Promise<void> {
  await old.handOver(await next.receive());
  await until(async () => (await old.report()).active.websocket === 0);
}

async function goOn(counters: readonly Counter[]): Promise<void> {
  const mark = counters.map(({ received }) => received);
  await until(() => counters.every(({ received }, index) => received > mark[index]! + 3));
}

const SUITES = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'];

test('WebSockets over TLS 1.3 go on through three generations: none is closed, and no message is lost or doubled', async () => {
  const { port } = await startEcho();
  const generations = await Promise.all([1, 2, 3, 4].map(() => bundle.start(port, certificate)));
  const [first] = generations;
  const counters = await Promise.all(
    Array.from({ length: 60 }, (_, n) =>
      Counter.open(first!.port, { isTls: true, ciphers: SUITES[n % SUITES.length]! }),
    ),
  );
  for (const [index, counter] of counters.entries())
    counter.sayEvery(5 + (index % 3) * 7, index % 5 === 0 ? 40_000 : 40);
  for (let index = 1; index < generations.length; index += 1) {
    await goOn(counters);
    const [old, next] = [generations[index - 1]!, generations[index]!];
    await handOverAll(old, next);
    expect((await next.report()).active.websocket).toBe(counters.length);
    await old.kill();
  }
  await goOn(counters);
  for (const counter of counters) counter.stop();
  await until(() => counters.every(({ sent, received }) => received === sent));
  expect(counters.filter(({ isWhole }) => !isWhole)).toEqual([]);
  const end = await generations.at(-1)!.report();
  expect(end.lines).toEqual([]);
  for (const counter of counters) counter.socket.close();
  await until(async () => (await generations.at(-1)!.report()).ended.websocket.completed === counters.length);
});

/** One request over a connection that stays. */
function ask(agent: https.Agent, port: number): Promise<{ status: number | undefined; port: number | undefined }> {
  return new Promise((resolve, reject) => {
    const request = https.get({ host: '127.0.0.1', port, agent, rejectUnauthorized: false }, (response) => {
      const { localPort } = response.socket;
      response.resume().on('end', () => resolve({ status: response.statusCode, port: localPort }));
    });
    request.on('error', reject);
  });
}

test('keep-alive connections go over, and those with TLS 1.2 stay for their next response', async () => {
  const { port } = await startEcho();
  const [old, next, last] = await Promise.all([1, 2, 3].map(() => bundle.start(port, certificate)));
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  later(() => agent.destroy());
  const first = await ask(agent, old!.port);
  const older = new https.Agent({ keepAlive: true, maxSockets: 1, maxVersion: 'TLSv1.2' });
  later(() => older.destroy());
  const stayed = await ask(older, old!.port);
  await old!.handOver(await next!.receive());
  await until(async () => (await old!.report()).figures?.handedOver.idle === 1);
  expect(await ask(agent, old!.port)).toEqual(first);
  await next!.handOver(await last!.receive());
  await until(async () => (await next!.report()).figures?.handedOver.idle === 1);
  expect(await ask(agent, old!.port)).toEqual(first);
  expect((await last!.report()).settled).toBe(1);
  expect((await old!.report()).figures?.stays).toEqual({ tls: 1 });
  expect((await old!.report()).pumped).toBe(0);
  expect(await ask(older, old!.port)).toEqual(stayed);
});

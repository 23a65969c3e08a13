import type net from 'node:net';
import tls from 'node:tls';
import { ProxyBundle, bundleProxy } from '../support/proxy-process';
import { callAdmin, findReport } from '../support/proxy-world';
import { endOf, restart, startRestartable } from '../support/restart-world';
import { Counter, startEcho } from '../handover/support/generations';
import { stopAll, until } from '../support/world';
import { findTlsClients } from './support/tls-clients';

/** All of them with `DRAINSHIFT_TEST_CLIENTS=python3,openssl,curl,go,chromium`: the last two cost seconds to start. */
const NAMES = (process.env.DRAINSHIFT_TEST_CLIENTS ?? 'python3,openssl,curl').split(',');
const RESTARTS = Number(process.env.DRAINSHIFT_TEST_RUNS ?? 3);
const found = findTlsClients(NAMES);
let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

/** The traffic secrets of clients, as their own key log has them. */
class Secrets {
  readonly all: Buffer[] = [];

  /** For `Counter.open`. */
  readonly createConnection = ((options: tls.ConnectionOptions) => {
    const socket = tls.connect({ ...options, path: undefined });
    socket.on('keylog', (line: Buffer) => {
      const [label, , secret] = line.toString('latin1').trim().split(' ');
      if (label!.includes('TRAFFIC_SECRET')) this.all.push(Buffer.from(secret!, 'hex'));
    });
    return socket;
  }) as unknown as typeof net.createConnection;

  /** In any of the usual forms. */
  isIn(text: string): boolean {
    const forms = (secret: Buffer) => [
      secret.toString('hex'),
      secret.toString('base64').slice(0, 40),
      secret.toString('latin1'),
      [...secret].join(','),
    ];
    return this.all.some((secret) => forms(secret).some((form) => text.toLowerCase().includes(form.toLowerCase())));
  }
}

test(`unmodified clients with TLS 1.3 notice nothing of restarts: ${['ws', ...found.map(({ name }) => name)].join(', ')}`, async () => {
  const echo = await startEcho();
  const upstream = `http://127.0.0.1:${echo.port}`;
  const { proxy, port, admin } = await startRestartable(bundle, {
    ...{ tls: 'self-signed', upstream },
    // Whatever a slow machine makes late goes over all the same.
    grace_period_seconds: 60,
  });
  const clients = await Promise.all(found.map(async ({ start }) => start(port, '1.3')));
  const secrets = new Secrets();
  const { createConnection } = secrets;
  const counters = await Promise.all(
    Array.from({ length: 10 }, () => Counter.open(port, { isTls: true, createConnection })),
  );
  for (const counter of counters) counter.sayEvery(10, 20);
  const goOn = async (count: number) => {
    const all = [...counters, ...clients];
    const mark = all.map(({ received }) => received);
    await until(
      () => all.every(({ received }, index) => received >= mark[index]! + count),
      () => clients.map(({ name, fault }) => fault && `${name}: ${fault}`).find((fault) => fault),
    );
  };
  await goOn(3);
  for (let generation = 1; generation <= RESTARTS; generation += 1) {
    const { status, body } = await restart({ admin });
    expect({ status, body }).toMatchObject({ status: 202 });
    await endOf(proxy, generation);
    await goOn(3);
    const { ended } = await findReport(admin);
    const nothing = { completed: 0, moved: 0, closed: 0, forced: 0 };
    expect({ websocket: ended.websocket, events: ended.serverSentEvents }).toEqual({
      websocket: nothing,
      events: nothing,
    });
    const { body: listed } = await callAdmin(admin, { path: '/connections' });
    expect(listed).toContain('websocket');
    expect(secrets.isIn(listed)).toBe(false);
  }
  for (const counter of counters) counter.stop();
  await until(() => counters.every(({ sent, received }) => sent === received));
  expect(counters.filter(({ isWhole }) => !isWhole)).toEqual([]);
  expect(clients.map(({ fault }) => fault)).toEqual(clients.map(() => undefined));
  for (const client of clients) client.stop();
  // Each of four for each connection: two of its handshake.
  expect(secrets.all.length).toBe(4 * counters.length);
  expect(secrets.isIn(JSON.stringify(proxy.lines) + proxy.stderr())).toBe(false);
});

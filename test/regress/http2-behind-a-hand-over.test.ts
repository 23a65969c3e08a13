import net from 'node:net';
import { bundleGeneration, startEcho } from '../proxy/handover/support/generations';
import { later, stopAll, until } from '../proxy/support/world';

const bundle = bundleGeneration();
afterEach(stopAll);
afterAll(() => bundle.remove());

/** RFC 9113 section 3.4: the preface, and the settings that follow it. */
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const SETTINGS = '\x00\x00\x00\x04\x00\x00\x00\x00\x00';
const SETTINGS_TYPE = 4;

test('a client that had sent nothing, or half of a preface, when its connection was handed over speaks HTTP/2 behind that', async () => {
  const { port } = await startEcho();
  const [old, next] = await Promise.all([bundle.start(port), bundle.start(port)]);
  const clients = await Promise.all(
    [0, 9].map(async (sent) => {
      const socket = net.connect(old.port, '127.0.0.1');
      later(() => void socket.destroy());
      const client = { socket, sent, received: Buffer.alloc(0) };
      socket.on('data', (bytes: Buffer) => (client.received = Buffer.concat([client.received, bytes])));
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.write(PREFACE.slice(0, sent), resolve));
      return client;
    }),
  );
  let idle = 0;
  // One that was accepted a moment later goes over at a later look.
  await old.handOver(await next.receive());
  await until(async () => (idle = (await old.report()).figures?.handedOver.idle ?? 0) === clients.length);
  expect(idle).toBe(2);
  await old.kill();
  for (const { socket, sent } of clients) socket.write(PREFACE.slice(sent) + SETTINGS, 'latin1');
  await until(() => clients.every(({ received }) => received.length >= SETTINGS.length));
  expect(clients.map(({ received }) => received[3])).toEqual([SETTINGS_TYPE, SETTINGS_TYPE]);
});

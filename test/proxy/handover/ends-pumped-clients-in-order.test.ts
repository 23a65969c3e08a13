import { once } from 'node:events';
import tls, { TLSSocket } from 'node:tls';
import { later, selfSigned, stopAll, until } from '../support/world';
import { bundleGeneration, startEcho } from './support/generations';

const bundle = bundleGeneration();
afterEach(stopAll);
afterAll(() => bundle.remove());

const LAST_CHUNK = /\r\n0\r\n\r\n$/;

/** Reads a stream of events on a connection that it keeps. */
class Client {
  text = '';
  hasEnded = false;
  isReset = false;

  private constructor(readonly socket: TLSSocket) {
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => (this.text += text));
    socket.on('end', () => (this.hasEnded = true));
    socket.on('error', () => (this.isReset = true));
    later(() => void socket.destroy());
  }

  static async open(port: number): Promise<Client> {
    const socket = tls.connect({ port, host: '127.0.0.1', maxVersion: 'TLSv1.2', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const client = new Client(socket);
    socket.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => client.text.includes('id: 3'));
    return client;
  }

  /** The whole response, or its connection, is over. */
  get isWhole(): boolean {
    return LAST_CHUNK.test(this.text);
  }
}

test('the connection of a pumped client ends with its stream, and when it is idle in a later generation', async () => {
  const { port } = await startEcho();
  const certificate = await selfSigned();
  const generations = await Promise.all([1, 2, 3].map(() => bundle.start(port, certificate)));
  const [first, second, third] = [generations[0]!, generations[1]!, generations[2]!];
  const streaming = await Client.open(first.port);
  const idle = await Client.open(first.port);
  expect(await first.handOver(await second.receive())).toMatchObject({ pumped: 2 });
  await until(async () => (await second.report()).active.serverSentEvents === 2);
  await first.call({ do: 'askToLeave', count: 1 });
  await until(() => streaming.hasEnded);
  expect([streaming.isWhole, streaming.isReset, idle.hasEnded]).toEqual([true, false, false]);
  await second.call({ do: 'closeAll', kind: 'serverSentEvents' });
  await until(() => idle.isWhole);
  expect(await second.handOver(await third.receive())).toMatchObject({ handedOver: { idle: 1 } });
  expect(idle.hasEnded).toBe(false);
  await first.call({ do: 'askToLeave', count: 1 });
  await until(() => idle.hasEnded);
  expect(idle.isReset).toBe(false);
  await until(async () => (await first.report()).pumped === 0);
});

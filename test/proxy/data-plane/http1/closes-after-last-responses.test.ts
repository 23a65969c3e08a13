import { once } from 'node:events';
import net, { Socket } from 'node:net';
import tls from 'node:tls';
import { later, selfSigned, stopAll } from '../../support/world';
import { OK, startUpstream } from './support/raw-upstream';
import { head, startStand } from './support/rejections';

afterEach(stopAll);

const BODY_BYTES = 8 * 1024 * 1024;
const BIG = `${head('HTTP/1.1 200 OK', `Content-Length: ${BODY_BYTES}`)}${'b'.repeat(BODY_BYTES)}`;
const LAST = head('GET /last HTTP/1.1', 'Host: a', 'Connection: close');
const UPLOAD = `${head('POST /last HTTP/1.1', 'Host: a', 'Connection: close', 'Content-Length: 2')}hi`;

async function startProxy(overTls: boolean, response: string) {
  const upstream = await startUpstream(() => response);
  const tlsOptions = overTls ? { tls: await selfSigned() } : {};
  return startStand(tlsOptions, upstream);
}

/** A client that keeps its own half open. */
async function open(port: number, overTls: boolean): Promise<Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const client = overTls ? tls.connect({ socket, rejectUnauthorized: false }) : socket;
  client.allowHalfOpen = true;
  later(() => void client.destroy());
  client.on('error', () => undefined);
  await once(client, overTls ? 'secureConnect' : 'connect');
  return client;
}

async function readToEnd(client: Socket): Promise<number> {
  let length = 0;
  client.on('data', (bytes: Buffer) => (length += bytes.length));
  client.resume();
  await once(client, 'end');
  return length;
}

const KINDS = [
  ['without TLS', false],
  ['over TLS', true],
] as const;

test.each(KINDS)('a connection whose client sends no more is closed with its last response: %s', async (_, overTls) => {
  const stand = await startProxy(overTls, OK);
  const client = await open(stand.engine.port, overTls);
  client.write(LAST);
  await readToEnd(client);
  // Nobody is there any more, and says so at once.
  const closed = new Promise((resolve) => client.once('close', resolve));
  client.write('x');
  client.write('x');
  await closed;
});

test.each(KINDS)('it has the whole response first, however slowly it reads: %s', async (_, overTls) => {
  const stand = await startProxy(overTls, BIG);
  const client = await open(stand.engine.port, overTls);
  client.pause();
  client.write(LAST);
  await new Promise((resolve) => setImmediate(resolve));
  expect(await readToEnd(client)).toBe(
    BIG.length + 'Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nConnection: close\r\n'.length,
  );
});

test.each(KINDS)('behind an upload it is read on, so that no reset takes the response: %s', async (_, overTls) => {
  const stand = await startProxy(overTls, OK);
  const client = await open(stand.engine.port, overTls);
  let hasError = false;
  client.on('error', () => (hasError = true));
  client.write(UPLOAD);
  await readToEnd(client);
  client.write('x'.repeat(100_000));
  client.end();
  await once(client, 'close');
  expect(hasError).toBe(false);
});

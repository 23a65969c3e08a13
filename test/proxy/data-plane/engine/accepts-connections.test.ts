import { readFileSync } from 'node:fs';
import net, { AddressInfo, Server, Socket } from 'node:net';
import { once } from 'node:events';
import { Accepting, ACCEPT_OPTIONS } from '../../../../proxy/data-plane/transport/accepting';
import { HandleTransport } from '../../../../proxy/data-plane/transport/handle-transport';
import { Handle } from '../../../../proxy/data-plane/transport/native';
import { NO_USER } from '../../../../proxy/data-plane/contract/transport';
import { later, stopAll, until } from '../../support/world';

afterEach(stopAll);

async function listen(): Promise<Server> {
  const server = net.createServer({ pauseOnConnect: true, ...ACCEPT_OPTIONS });
  server.listen(0, '127.0.0.1');
  later(() => void server.close());
  await once(server, 'listening');
  return server;
}

async function connect(server: Server): Promise<Socket> {
  const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  later(() => void client.destroy());
  await once(client, 'connect');
  return client;
}

/** What the kernel says of the connection whose other end is `client`: whether its keep-alive timer runs. */
function isKeptAlive({ localPort, remotePort }: Socket): boolean {
  const ends = [remotePort!, localPort!].map((port) => port.toString(16).toUpperCase().padStart(4, '0'));
  const line = new RegExp(`0100007F:${ends[0]} 0100007F:${ends[1]} 01 \\S+ (..):`);
  return line.exec(readFileSync('/proc/net/tcp', 'latin1'))?.[1] === '02';
}

const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux('every connection has its options, made before the listening socket had them or after', async () => {
  const server = await listen();
  const accepted: HandleTransport[] = [];
  const connecting = connect(server);
  // Now it waits for someone who accepts it.
  await new Promise((resolve) => process.nextTick(resolve));
  const accepting = new Accepting(server);
  accepting.setOptionsOnce();
  accepting.takeHandles((handle) => {
    accepted.push(new HandleTransport(handle));
    later(() => accepted.pop()?.destroy());
    return true;
  });
  const early = await connecting;
  await until(() => accepted.length === 1);
  expect(isKeptAlive(early)).toBe(true);
  await until(() => (server as unknown as { noDelay: boolean }).noDelay === false);
  const setNoDelay = jest.spyOn(Object.getPrototypeOf(handleOf(server)) as Handle, 'setNoDelay');
  const late = await connect(server);
  await until(() => accepted.length === 2);
  expect(isKeptAlive(late)).toBe(true);
  expect(setNoDelay).not.toHaveBeenCalled();
});

test('elsewhere each connection gets its options', async () => {
  const server = await listen();
  const accepting = new Accepting(server);
  accepting.setOptionsOnce('darwin');
  const setNoDelay = jest.spyOn(Object.getPrototypeOf(handleOf(server)) as Handle, 'setNoDelay');
  const setKeepAlive = jest.spyOn(Object.getPrototypeOf(handleOf(server)) as Handle, 'setKeepAlive');
  let handle: Handle | undefined;
  accepting.takeHandles((accepted) => {
    handle = accepted;
    later(() => accepted.close(() => undefined));
    return true;
  });
  await connect(server);
  await until(() => handle !== undefined);
  expect(setNoDelay.mock.contexts).toEqual([handle]);
  expect(setKeepAlive.mock.calls).toEqual([[true, 30]]);
});

test('what is not taken becomes a socket', async () => {
  const server = await listen();
  new Accepting(server).takeHandles(() => false);
  const accepted = once(server, 'connection');
  const client = await connect(server);
  const [socket] = (await accepted) as [Socket];
  later(() => void socket.destroy());
  expect(socket.remotePort).toBe(client.localPort);
});

test('what is taken is read and written without a socket', async () => {
  const server = await listen();
  server.on('connection', () => expect('a socket').toBe('none'));
  new Accepting(server).takeHandles((handle) => {
    const transport = new HandleTransport(handle);
    later(() => transport.destroy());
    const echo = (bytes: Buffer, length: number) => transport.writeBytes(bytes.subarray(0, length));
    transport.user = { ...NO_USER, onData: echo };
    return true;
  });
  const client = await connect(server);
  client.write('ping');
  expect(String((await once(client, 'data'))[0])).toBe('ping');
});

function handleOf(server: Server): object {
  return (server as unknown as { _handle: object })._handle;
}

import dns from 'node:dns';
import net from 'node:net';
import { findPort, selfSigned, stopAll, until } from '../support/world';
import { startStore, watch } from './support/store';

afterEach(stopAll);
afterEach(() => jest.restoreAllMocks());

test('logs in, and asks every few seconds whether the store is there', async () => {
  const server = await startStore();
  const { store, clock, isConnected, lines } = watch({ port: server.port, user: 'sessions', password: 'pass word' });
  expect(store.isConnected).toBe(false);
  store.start();
  await isConnected(true);
  expect(server.heard).toEqual([['AUTH', 'sessions', 'pass word'], ['PING']]);
  clock.advance(5);
  await until(() => server.heard.length === 3);
  expect(server.heard[2]).toEqual(['PING']);
  expect(server.sockets.size).toBe(1);
  expect(lines).toEqual([]);
});

test('the default user has no name; without a password there is no login', async () => {
  const server = await startStore();
  const named = watch({ port: server.port, password: 'x' });
  named.store.start();
  await named.isConnected(true);
  const bare = watch({ port: server.port, user: 'sessions' });
  bare.store.start();
  await bare.isConnected(true);
  expect(server.heard).toEqual([['AUTH', 'x'], ['PING'], ['PING']]);
});

test('a store that wants a login no one gave is there all the same; one that rejects the login is not', async () => {
  const server = await startStore();
  server.respond = () => '-NOAUTH Authentication required.\r\n';
  const bare = watch({ port: server.port });
  bare.store.start();
  await bare.isConnected(true);

  server.respond = ([name]) => (name === 'AUTH' ? '-WRONGPASS invalid\r\n' : '-NOAUTH Authentication required.\r\n');
  const wrong = watch({ port: server.port, password: 'wrong' });
  wrong.store.start();
  await until(() => wrong.lines.length > 0);
  expect(wrong.store.isConnected).toBe(false);
  expect(wrong.lines).toEqual(['The session store does not respond: WRONGPASS invalid']);
});

test('one that goes away is looked for ever more slowly, and found again', async () => {
  const server = await startStore();
  const { store, clock, isConnected, lines } = watch({ port: server.port });
  store.start();
  await isConnected(true);
  server.respond = () => '-LOADING the dataset\r\n';
  clock.advance(5);
  await isConnected(false);
  let heard = server.heard.length;
  for (const seconds of [1, 2, 4, 8, 16, 30, 30]) {
    clock.advance(seconds - 0.1);
    expect(server.heard).toHaveLength(heard);
    clock.advance(0.1);
    await until(() => server.heard.length === heard + 1);
    await until(() => server.sockets.size === 0);
    heard += 1;
  }
  expect(lines).toEqual(['The session store does not respond: LOADING the dataset']);
  server.respond = () => '+PONG\r\n';
  clock.advance(30);
  await isConnected(true);
  clock.advance(5);
  await until(() => lines.length === 2);
  expect(lines.at(-1)).toBe('The session store responds again');
});

test('one that responds and goes, again and again, is reported once and looked for ever more slowly', async () => {
  const server = await startStore();
  const { store, clock, isConnected, lines } = watch({ port: server.port });
  store.start();
  for (const seconds of [1, 2, 4, 8, 16, 30, 30]) {
    await isConnected(true);
    for (const socket of server.sockets) socket.destroy();
    await isConnected(false);
    const heard = server.heard.length;
    clock.advance(seconds - 0.1);
    expect(store.isConnected).toBe(false);
    expect(server.heard).toHaveLength(heard);
    clock.advance(0.1);
  }
  expect(lines).toEqual(['The session store does not respond: the connection was closed']);
});

test('a server that quotes what it does not understand does not bring the password into the log', async () => {
  const server = await startStore();
  server.respond = ([name, ...words]) =>
    `-ERR unknown command '${name}', with args beginning with: ${words.map((word) => `'${word}'`).join(' ')}\r\n`;
  const { store, lines } = watch({ port: server.port, user: 'sessions', password: 'hunter2' });
  store.start();
  await until(() => lines.length > 0);
  expect(lines).toEqual(['The session store does not respond: ERR unknown command …']);
});

test('a name whose every address rejects has a reason, too', async () => {
  type Found = (error: null, addresses: readonly { address: string; family: number }[]) => void;
  const addresses = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }));
  const lookup = (_name: string, _options: object, found: Found) => process.nextTick(found, null, addresses);
  jest.spyOn(dns, 'lookup').mockImplementation(lookup as never);
  const { lines, store } = watch({ host: 'store.internal', port: await freePort() });
  store.start();
  await until(() => lines.length > 0);
  expect(lines).toEqual(['The session store does not respond: ECONNREFUSED']);
});

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = findPort(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test.each([
  ['closes', 'the connection was closed'],
  ['speaks another language', 'a response that is none of Redis'],
  ['floods', 'a response that is too long'],
])('one that %s is away', async (how, reason) => {
  const server = await startStore();
  server.respond = () => {
    if (how === 'closes') for (const socket of server.sockets) socket.destroy();
    if (how === 'speaks another language') return 'HTTP/1.1 400 Bad Request\r\n';
    return how === 'floods' ? '+'.repeat(10_000) : undefined;
  };
  const { store, lines } = watch({ port: server.port });
  store.start();
  await until(() => lines.length > 0);
  expect(lines).toEqual([`The session store does not respond: ${reason}`]);
  expect(store.isConnected).toBe(false);
  await until(() => server.sockets.size === 0);
});

test('one that does not respond in time is away', async () => {
  const server = await startStore();
  const { store, clock, isConnected, lines } = watch({ port: server.port });
  store.start();
  await isConnected(true);
  server.respond = () => undefined;
  clock.advance(5);
  await until(() => server.heard.length === 2);
  clock.advance(2);
  expect(store.isConnected).toBe(false);
  expect(lines).toEqual(['The session store does not respond: no response within 2 s']);
});

test('the password goes to no one whose certificate is not trusted', async () => {
  const server = await startStore(await selfSigned());
  const { store, lines } = watch({ port: server.port, isTls: true, password: 'x' });
  store.start();
  await until(() => lines.length > 0);
  expect(lines[0]).toMatch(/self-signed certificate/);
  expect(server.heard).toEqual([]);
});

test('stopped, it leaves nothing behind', async () => {
  const server = await startStore();
  const { store, clock, isConnected } = watch({ port: server.port });
  store.start();
  await isConnected(true);
  store.stop();
  expect(clock.waiting).toBe(0);
  await until(() => server.sockets.size === 0);
});

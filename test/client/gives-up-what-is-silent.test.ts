import { follow, startSilentServer, startSocketServer, stopAll, until } from './support/hostile-server';

afterEach(stopAll);

// The first: no other client has a timer.
test('a handshake has ten seconds, an open connection no limit', async () => {
  const { url } = await startSilentServer();
  const spied = jest.spyOn(globalThis, 'setTimeout');
  follow(url);
  expect(spied.mock.calls.map(([, ms]) => ms)).toContain(10_000);
  spied.mockClear();
  const server = await startSocketServer((socket) => socket.send('hello'));
  const { said } = follow(server.url);
  spied.mockClear();
  await until(() => said.length === 2);
  expect(spied.mock.calls.filter(([callBack]) => String(callBack).includes('_lose'))).toEqual([]);
  spied.mockRestore();
});

test('a handshake without a response ends, and is tried again', async () => {
  const { url, sockets } = await startSilentServer();
  const { socket, said } = follow(url, undefined, { idleTimeoutMs: 20 });
  const errors: string[] = [];
  socket.addEventListener('error', (event) => errors.push(String((event as { error?: unknown }).error)));
  await until(() => sockets.length >= 2 && said.length >= 2);
  expect(said.slice(0, 2)).toEqual(['error', 'close 1006 0']);
  expect(errors[0]).toBe("Error: 'idleTimeoutMs' is 20");
});

test('a connection whose other end has gone without a word is made anew', async () => {
  let said: readonly string[] = [];
  const server = await startSocketServer((socket) => {
    // Until one was open: on a busy machine a handshake may take longer than the limit.
    if (!said.includes('open 1')) return socket.pause();
    const beat = setInterval(() => socket.send('beat'), 5);
    socket.on('close', () => clearInterval(beat));
  });
  ({ said } = follow(server.url, undefined, { idleTimeoutMs: 200 }));
  // Messages count: this one has lasted longer than the limit.
  await until(() => said.slice(said.lastIndexOf('open 1')).filter((each) => each === 'message beat').length > 50);
  const first = said.indexOf('open 1');
  expect(said.slice(first, first + 3)).toEqual(['open 1', 'error', 'close 1006 0']);
});

test('a URL that does not come is an attempt that failed, and what comes late is not used', async () => {
  const server = await startSocketServer(() => undefined);
  const late: ((url: string) => void)[] = [];
  let asked = 0;
  const { said } = follow(
    () => {
      asked += 1;
      return asked === 1 ? new Promise((resolve) => late.push(resolve)) : `${server.url}${asked}`;
    },
    undefined,
    { idleTimeoutMs: 50 },
  );
  await until(() => said.at(-1) === 'open 1');
  const { length } = said;
  late[0]!(`${server.url}late`);
  await new Promise((resolve) => setImmediate(resolve));
  expect(said.slice(0, 2)).toEqual(['error', 'close 1006 0']);
  expect(said).toHaveLength(length);
  expect(server.paths[0]).toBe('/2');
  expect(server.paths).not.toContain('/late');
});

test('a URL that fails is reported, and asked for again', async () => {
  const server = await startSocketServer(() => undefined);
  let asked = 0;
  const { socket, said } = follow(() => {
    asked += 1;
    if (asked === 1) throw new Error('no token');
    return server.url;
  });
  const errors: string[] = [];
  socket.addEventListener('error', (event) => errors.push(String((event as { error?: unknown }).error)));
  await until(() => said.at(-1) === 'open 1');
  expect(said).toEqual(['error', 'close 1006 0', 'open 1']);
  expect(errors).toEqual(['Error: no token']);
});

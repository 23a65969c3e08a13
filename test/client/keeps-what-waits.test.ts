import { follow, startSocketServer, stopAll, until } from './support/hostile-server';

afterEach(stopAll);

test('what is sent without a connection is sent in order when there is one, after what a handler sends', async () => {
  const got: string[] = [];
  const server = await startSocketServer((socket) => socket.on('message', (data: Buffer) => got.push(data.toString())));
  const { socket } = follow(server.url);
  socket.addEventListener('open', () => socket.send('login'));
  socket.send('one');
  socket.send('two');
  expect([socket.bufferedAmount, socket.pending]).toEqual([6, ['one', 'two']]);
  await until(() => got.length === 3);
  expect(got).toEqual(['login', 'one', 'two']);
  expect(socket.pending).toEqual([]);
  socket.send('three');
  await until(() => got.length === 4);
  expect(got[3]).toBe('three');
});

test('a message is sent at most once: what its connection took is not sent again', async () => {
  const got: string[] = [];
  const server = await startSocketServer((socket, number) => {
    socket.on('message', (data: Buffer) => {
      got.push(`${number} ${data.toString()}`);
      if (number === 1) socket.terminate();
    });
  });
  const { socket, said } = follow(server.url);
  socket.send('one');
  await until(() => said.filter((each) => each === 'open 1').length === 2);
  socket.send('two');
  await until(() => got.length === 2);
  expect(got).toEqual(['1 one', '2 two']);
});

test('the limit: one message more throws, and those that wait are kept', async () => {
  const got: string[] = [];
  const server = await startSocketServer((socket) => socket.on('message', (data: Buffer) => got.push(data.toString())));
  const { socket } = follow(server.url, undefined, { maxQueue: 2 });
  socket.send('a');
  socket.send('b');
  expect(() => socket.send('c')).toThrow(new RangeError("'maxQueue' is 2"));
  await until(() => got.length === 2);
  for (let sent = 0; sent < 10; sent += 1) socket.send('d');
  await until(() => got.length === 12);
  expect(got.slice(0, 2)).toEqual(['a', 'b']);
});

test('bytes are taken as they are when they are sent, of any kind', async () => {
  const got: string[] = [];
  const server = await startSocketServer((socket) =>
    socket.on('message', (data: Buffer) => got.push(data.toString('latin1'))),
  );
  const { socket } = follow(server.url);
  const bytes = new Uint8Array([97, 98, 99, 100]);
  socket.send(bytes.subarray(1, 3));
  socket.send(new DataView(bytes.buffer, 3));
  socket.send(bytes.buffer);
  socket.send(new Blob(['blob']));
  socket.send('ü');
  expect(socket.bufferedAmount).toBe(2 + 1 + 4 + 4 + 2);
  bytes.fill(0);
  await until(() => got.length === 5);
  expect(got).toEqual(['bc', 'd', 'abcd', 'blob', 'Ã¼']);
});

test('what was not sent at the end is named', async () => {
  const server = await startSocketServer((socket) => socket.close(1008));
  const { socket } = follow(server.url);
  await until(() => socket.readyState === 3);
  socket.send('late');
  expect([socket.pending, socket.bufferedAmount]).toEqual([['late'], 4]);
});

test('a handler that closes the connection keeps what waits', async () => {
  const server = await startSocketServer(() => undefined);
  const { socket } = follow(server.url);
  socket.onopen = () => socket.close();
  socket.send('kept');
  await until(() => socket.readyState === 3);
  expect(socket.pending).toEqual(['kept']);
});

test('a token: in the URL of each connection, or in its first message', async () => {
  const first: string[] = [];
  const server = await startSocketServer((socket, number) => {
    socket.once('message', (data: Buffer) => {
      first.push(data.toString());
      socket.send(`token-${number}`);
      if (number < 3) socket.close(1012);
    });
  });
  let token = 'none';
  const { socket } = follow(() => `${server.url}?resume=${token}`, undefined, {
    greet: (connection) => connection.send(`resume ${token}`),
  });
  socket.addEventListener('message', ({ data }) => (token = String(data)));
  socket.send('waits');
  socket.addEventListener('open', () => socket.send('of a handler'));
  await until(() => token === 'token-3');
  expect(server.paths).toEqual(['/?resume=none', '/?resume=token-1', '/?resume=token-2']);
  expect(first).toEqual(['resume none', 'resume token-1', 'resume token-2']);
  expect(socket.url).toBe(`${server.url}?resume=token-2`);
});

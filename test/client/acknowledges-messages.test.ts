import type { WebSocket as ServerSocket } from 'ws';
import type { Acknowledgement } from '../../client/index';
import { follow, startSocketServer, stopAll, until } from './support/hostile-server';

afterEach(stopAll);

const ack: Acknowledgement = {
  write: (data, id) => JSON.stringify({ id, data }),
  read: (data) => (JSON.parse(String(data)) as { ack?: string }).ack,
};

interface Message {
  readonly id: string;
  readonly data: string;
}

const parse = (data: Buffer) => JSON.parse(data.toString()) as Message;
const acknowledge = (socket: ServerSocket, { id }: Message) => socket.send(JSON.stringify({ ack: id }));

test('what is not acknowledged is sent again after a reconnection, with the same id, in order, before what is new', async () => {
  const got: Message[][] = [];
  const server = await startSocketServer((socket, number) => {
    const list: Message[] = [];
    got.push(list);
    socket.on('message', (data: Buffer) => {
      const message = parse(data);
      list.push(message);
      // The first connection is lost after three messages, of which the second was acknowledged.
      if (number > 1 || message.data === 'b') acknowledge(socket, message);
      if (number === 1 && list.length === 3) socket.terminate();
    });
  });
  const { socket, said } = follow(server.url, undefined, { ack });
  for (const data of ['a', 'b', 'c']) socket.send(data);
  expect(socket.pending).toEqual(['a', 'b', 'c']);
  await until(() => said.includes('close 1006 0'));
  expect(socket.pending).toEqual(['a', 'c']);
  socket.send('d');
  await until(() => socket.pending.length === 0);
  expect(got[0]!.map(({ data }) => data)).toEqual(['a', 'b', 'c']);
  expect(got[1]!.map(({ data }) => data)).toEqual(['a', 'c', 'd']);
  expect(got[1]!.slice(0, 2)).toEqual([got[0]![0], got[0]![2]]);
  const [sender] = got[0]![0]!.id.split('-');
  expect(new Set(got.flat().map(({ id }) => id))).toEqual(new Set([1, 2, 3, 4].map((number) => `${sender}-${number}`)));
});

test('two objects have different ids', async () => {
  const ids: string[] = [];
  const server = await startSocketServer((socket) => socket.on('message', (data: Buffer) => ids.push(parse(data).id)));
  for (const { socket } of [1, 2].map(() => follow(server.url, undefined, { ack }))) socket.send('x');
  await until(() => ids.length === 2);
  expect(new Set(ids).size).toBe(2);
});

test('what a handler sends goes once, after what waited', async () => {
  const got: string[] = [];
  const server = await startSocketServer((socket) =>
    socket.on('message', (data: Buffer) => {
      if (data.toString() === 'login') return got.push('login');
      got.push(parse(data).data);
      return acknowledge(socket, parse(data));
    }),
  );
  const { socket } = follow(server.url, undefined, { ack, greet: (connection) => connection.send('login') });
  socket.send('a');
  socket.addEventListener('open', () => socket.send('b'));
  await until(() => got.length > 0 && socket.pending.length === 0);
  expect(got).toEqual(['login', 'a', 'b']);
});

test('the application has a message before it counts as acknowledged', async () => {
  const server = await startSocketServer((socket) =>
    socket.on('message', (data: Buffer) => acknowledge(socket, parse(data))),
  );
  const { socket } = follow(server.url, undefined, { ack });
  const pending: number[] = [];
  socket.onmessage = () => pending.push(socket.pending.length);
  socket.send('a');
  await until(() => socket.pending.length === 0);
  expect(pending).toEqual([1]);
});

test('the limit holds for what is sent and not acknowledged', async () => {
  const server = await startSocketServer(() => undefined);
  const { socket, said } = follow(server.url, undefined, { ack, maxQueue: 1 });
  await until(() => said.length === 1);
  socket.send('a');
  expect(() => socket.send('b')).toThrow(RangeError);
  expect(socket.bufferedAmount).toBe(1);
});

test('a server that is cut at any message: each is processed once, in order', async () => {
  const processed: string[] = [];
  const known = new Map<string, number>();
  let received = 0;
  const server = await startSocketServer((socket) => {
    let isCut = false;
    socket.on('message', (data: Buffer) => {
      if (isCut) return;
      received += 1;
      const message = parse(data);
      const [sender, number] = message.id.split('-') as [string, string];
      // The highest number of each sender is enough, since each connection has them in order.
      if (Number(number) > (known.get(sender) ?? 0)) {
        known.set(sender, Number(number));
        processed.push(message.data);
      }
      // Cut after it was processed, before it is acknowledged; or after both.
      isCut = received % 7 === 0 || received % 11 === 0;
      if (received % 7 !== 0) acknowledge(socket, message);
      if (isCut) socket.close(1012);
    });
  });
  const { socket } = follow(server.url, undefined, { ack });
  const sent = Array.from({ length: 300 }, (_, number) => `message ${number}`);
  for (const data of sent) {
    socket.send(data);
    if (Math.random() < 0.2) await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => socket.pending.length === 0);
  expect(processed).toEqual(sent);
  expect(received).toBeGreaterThan(sent.length);
});

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket as WsClient, ClientOptions, WebSocketServer } from 'ws';
import { ProxyCommand, problemsOnceAllIsOver, startProxyCommand } from './support/proxy-command';
import { untilStill } from './support/until-still';
import { later, startBackend, stopAll, until } from '../support/world';

let proxy: ProxyCommand;
let server: WebSocketServer;
let base: string;

beforeAll(async () => {
  const backend = await startBackend((_, response) => response.end('an ordinary answer'));
  server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: { threshold: 0 },
    maxPayload: 64 * MIB,
    handleProtocols: (offered) => (offered.has('chat.v2') ? 'chat.v2' : false),
  });
  backend.server.on('upgrade', (request, socket, head) => {
    if (request.headers.authorization === 'Bearer bad') {
      socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\nWWW-Authenticate: Bearer\r\n\r\nask again');
    } else server.handleUpgrade(request, socket, head, (ws) => server.emit('connection', ws, request));
  });
  proxy = await startProxyCommand(backend.port);
  base = `ws://127.0.0.1:${proxy.port}`;
});
afterAll(stopAll);

const MIB = 2 ** 20;
const PIECES = 64;

interface Pair {
  readonly client: WsClient;
  /** The server's end of the same WebSocket. */
  readonly peer: WsClient;
  readonly request: IncomingMessage;
}

async function pair(options: ClientOptions = {}, protocols: string[] = [], path = '/'): Promise<Pair> {
  const client = new WsClient(base + path, protocols, options);
  later(() => client.terminate());
  const [peer, request] = (await once(server, 'connection')) as [WsClient, IncomingMessage];
  for (const end of [client, peer]) end.on('error', () => undefined);
  if (client.readyState !== client.OPEN) await once(client, 'open');
  return { client, peer, request };
}

interface Message {
  readonly data: Buffer;
  readonly isBinary: boolean;
}

function inbox(end: WsClient): Message[] {
  const messages: Message[] = [];
  end.on('message', (data: Buffer, isBinary) => messages.push({ data, isBinary }));
  return messages;
}

async function findClose(end: WsClient): Promise<[number, string]> {
  const [code, reason] = (await once(end, 'close')) as [number, Buffer];
  return [code, reason.toString()];
}

/** A message's way in each direction. */
const WAYS: [string, (pair: Pair) => [WsClient, WsClient]][] = [
  ['from the client', ({ client, peer }) => [client, peer]],
  ['from the server', ({ client, peer }) => [peer, client]],
];

test('the handshake brings path, query, cookies and origin, and the subprotocol that was chosen', async () => {
  const headers = { cookie: 'session=s1; theme=dark', origin: 'https://shop.example' };
  const { client, request } = await pair({ headers }, ['chat.v1', 'chat.v2'], '/rooms/7?token=a%20b');
  expect(request.url).toBe('/rooms/7?token=a%20b');
  expect(request.headers).toMatchObject(headers);
  expect(client.protocol).toBe('chat.v2');
  client.terminate();
});

test('a handshake that the server declines is its ordinary response', async () => {
  const client = new WsClient(base, { headers: { authorization: 'Bearer bad' } });
  client.on('error', () => undefined);
  const [, response] = (await once(client, 'unexpected-response')) as [unknown, IncomingMessage];
  expect(response).toMatchObject({ statusCode: 401, headers: { 'www-authenticate': 'Bearer' } });
  expect(Buffer.concat((await response.toArray()) as Buffer[]).toString()).toBe('ask again');
  client.terminate();
});

describe.each(WAYS)('%s', (_, way) => {
  describe.each([false, true])('permessage-deflate: %s', (perMessageDeflate) => {
    const sides = async () => {
      const both = await pair({ perMessageDeflate });
      expect(both.client.extensions.startsWith('permessage-deflate')).toBe(perMessageDeflate);
      const [sender, receiver] = way(both);
      return { sender, receiver, end: () => both.client.terminate() };
    };

    test('messages of all lengths arrive as they were sent', async () => {
      const { sender, receiver, end } = await sides();
      const got = inbox(receiver);
      const lengths = [0, 1, 125, 126, 127, 1000, 65_535, 65_536, 200_000];
      const sent = lengths.flatMap((length) => [
        { data: randomBytes(length), isBinary: true },
        { data: Buffer.from('ö'.repeat(length)), isBinary: false },
      ]);
      for (const { data, isBinary } of sent) sender.send(data, { binary: isBinary });
      await until(() => got.length === sent.length);
      for (const [index, { data, isBinary }] of sent.entries()) {
        expect(got[index]?.isBinary).toBe(isBinary);
        expect(got[index]?.data.equals(data)).toBe(true);
      }
      end();
    });

    test('a message in fragments with a ping between them is whole', async () => {
      const { sender, receiver, end } = await sides();
      const got = inbox(receiver);
      const pong = once(sender, 'pong');
      sender.send('one ', { fin: false });
      sender.ping('between');
      sender.send('two ', { fin: false });
      expect(String((await pong)[0])).toBe('between');
      expect(got).toEqual([]);
      sender.send('three', { fin: true });
      await until(() => got.length === 1);
      expect(got[0]?.data.toString()).toBe('one two three');
      end();
    });

    test('bytes of 16 MiB arrive', async () => {
      const { sender, receiver, end } = await sides();
      const bytes = randomBytes(16 * MIB);
      const got = once(receiver, 'message');
      sender.send(bytes);
      expect(((await got)[0] as Buffer).equals(bytes)).toBe(true);
      end();
    });
  });

  test('5000 small messages keep their order', async () => {
    const both = await pair({ perMessageDeflate: false });
    const [sender, receiver] = way(both);
    const got = inbox(receiver);
    const numbers = Array.from({ length: 5000 }, (__, index) => String(index));
    for (const number of numbers) sender.send(number);
    await until(() => got.length === numbers.length);
    expect(got.map(({ data }) => data.toString())).toEqual(numbers);
    both.client.terminate();
  });

  test('a receiver that does not read is waited for', async () => {
    const both = await pair({ perMessageDeflate: false });
    const [sender, receiver] = way(both);
    const got = inbox(receiver);
    receiver.pause();
    const piece = randomBytes(MIB);
    for (let count = 0; count < PIECES; count += 1) sender.send(piece);
    await untilStill(() => sender.bufferedAmount);
    // Sockets and the proxy hold less than half of it: the rest has to stay with the sender.
    expect(sender.bufferedAmount).toBeGreaterThan((PIECES / 2) * MIB);
    receiver.resume();
    await until(() => got.length === PIECES);
    expect(got.every(({ data }) => data.equals(piece))).toBe(true);
    both.client.terminate();
  });

  test.each<[number, string]>([
    [1000, 'done'],
    [1001, 'going away'],
    [1008, 'policy'],
    [1011, ''],
    [3000, 'a library’s'],
    [4999, 'r'.repeat(123)],
  ])('close code %d and its reason pass', async (code, reason) => {
    const [closing, other] = way(await pair());
    const codes = Promise.all([findClose(other), findClose(closing)]);
    closing.close(code, reason);
    expect(await codes).toEqual([
      [code, reason],
      // The echo repeats the code alone.
      [code, expect.any(String)],
    ]);
  });

  test('a close without a code has none at the other end', async () => {
    const [closing, other] = way(await pair());
    const code = findClose(other);
    closing.close();
    expect(await code).toEqual([1005, '']);
  });

  test('an end that vanishes is no orderly close', async () => {
    const [vanishing, other] = way(await pair());
    const code = findClose(other);
    vanishing.terminate();
    expect((await code)[0]).toBe(1006);
  });
});

test("Node's own WebSocket works as in a browser", async () => {
  const connected = once(server, 'connection');
  const socket = new WebSocket(base, ['chat.v2']);
  socket.binaryType = 'arraybuffer';
  const [peer] = (await connected) as [WsClient];
  peer.on('message', (data: Buffer, isBinary) => peer.send(data, { binary: isBinary }));
  const heard: unknown[] = [];
  socket.addEventListener('message', ({ data }) => heard.push(data));
  if (socket.readyState !== socket.OPEN) await once(socket, 'open');
  socket.send('grüße');
  const bytes = randomBytes(100_000);
  socket.send(bytes);
  await until(() => heard.length === 2);
  expect(socket.protocol).toBe('chat.v2');
  expect(heard[0]).toBe('grüße');
  expect(Buffer.from(heard[1] as ArrayBuffer).equals(bytes)).toBe(true);
  const code = findClose(peer);
  socket.close(4001, 'bye');
  expect(await code).toEqual([4001, 'bye']);
});

test('nothing of all this is left, and none of it was an error', async () => {
  expect(await problemsOnceAllIsOver(proxy)).toEqual([]);
});

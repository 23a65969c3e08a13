import { AddressInfo, Server, Socket, createServer } from 'node:net';
import { urlsPort } from '../../../lambda/adapters/urls';

/** What the server sends, byte by byte, once a whole request is there. */
type Respond = (socket: Socket) => void;

const requests: string[] = [];
let respond: Respond;
let server: Server;
let url: string;
const sockets = new Set<Socket>();

beforeAll(async () => {
  server = createServer((socket) => {
    sockets.add(socket);
    let text = '';
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.on('data', (bytes) => {
      text += bytes.toString();
      if (!text.includes('\r\n\r\n') || (text.startsWith('POST') && !text.endsWith('}'))) return;
      requests.push(text);
      respond(socket);
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?a=1`;
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const whole =
  (status: string, body: string): Respond =>
  (socket) =>
    void socket.end(`HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
const post = (timeoutMs = 2_000) =>
  urlsPort().send(url, { method: 'POST', body: '{"key":"a"}', key: 'night/é', timeoutMs });

test('is a POST with its key, on a connection of its own', async () => {
  respond = whole('200 OK', '{"ok":true}');
  await expect(post()).resolves.toEqual({ status: 200, body: '{"ok":true}' });
  const [head = '', body] = requests.at(-1)!.split('\r\n\r\n');
  expect(head).toMatch(/^POST \/hook\?a=1 HTTP\/1.1\r\n/);
  expect(head.toLowerCase()).toContain('idempotency-key: "night/%c3%a9"');
  expect(head.toLowerCase()).toContain('connection: close');
  expect(body).toBe('{"key":"a"}');
});

test('a response that says when to call again says it to the caller', async () => {
  respond = whole('202 Accepted\r\nretry-after: 120', '');
  await expect(post()).resolves.toEqual({ status: 202, retryAfter: '120', body: '' });
});

test.each(['301 Moved Permanently\r\nlocation: /other', '503 Busy', '204 No Content'])(
  'a response of %s comes back as it is: no redirect is followed',
  async (status) => {
    respond = whole(status, '');
    const before = requests.length;
    await expect(post()).resolves.toEqual({ status: Number(status.slice(0, 3)), body: '' });
    expect(requests).toHaveLength(before + 1);
  },
);

test.each<[string, Respond, RegExp]>([
  ['resets the connection', (socket) => socket.resetAndDestroy(), /ECONNRESET|hang up/],
  ['closes it', (socket) => socket.end(), /hang up/],
  ['closes it within the body', (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"ok"'), /closed/],
  ['speaks no HTTP', (socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n'), /Parse Error/],
  ['says nothing', () => undefined, /^no response within 0.2 s$/],
  [
    'trickles its head',
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const timer = setInterval(() => socket.write('x: y\r\n'), 20);
      socket.once('close', () => clearInterval(timer));
    },
    /^no response within 0.2 s$/,
  ],
  [
    'trickles its body',
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n');
      const timer = setInterval(() => socket.write(' '), 20);
      socket.once('close', () => clearInterval(timer));
    },
    /^no response within 0.2 s$/,
  ],
])('of a server that %s the error says so, in time', async (_, given, problem) => {
  respond = given;
  await expect(post(200)).rejects.toThrow(problem);
});

test('a body without an end is read as far as a hook may say something', async () => {
  respond = (socket) => void socket.write(`HTTP/1.1 200 OK\r\n\r\n${'<html>'.repeat(3_000)}`);
  const { body } = await post();
  expect(body).toHaveLength(8_192);
});

test('a port where no one listens is an error', async () => {
  const gone = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => gone.once('listening', resolve));
  const { port } = gone.address() as AddressInfo;
  await new Promise((resolve) => gone.close(resolve));
  const order = { method: 'OPTIONS', timeoutMs: 2_000 } as const;
  await expect(urlsPort().send(`http://127.0.0.1:${port}`, order)).rejects.toThrow('ECONNREFUSED');
});

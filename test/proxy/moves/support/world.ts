import type { IncomingHttpHeaders } from 'node:http';
import type { Socket, AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer, type ServerOptions } from 'ws';
import type { Moves } from '../../../../core/moves/moves';
import type { MoveConfig } from '../../../../proxy/config/config';
import { acceptKey } from '../../../../proxy/data-plane/websocket/handshake';
import { ProxyChanges, TestProxy, callAdmin, startTestProxy } from '../../support/proxy-world';
import { later, startRawBackend } from '../../support/world';

/** What the application knows of a client, in a store that both backends have. */
export interface Session {
  /** The numbers that the client sent, in the order in which backends received them. */
  readonly received: number[];
  /** How many numbers backends have sent to it. */
  sent: number;
}

export interface Application {
  readonly port: number;
  readonly server: WebSocketServer;
  /** The fields of each handshake. */
  readonly handshakes: IncomingHttpHeaders[];
  /** The codes of the Close frames of its connections, as it received them. */
  readonly closed: number[];
}

/**
 * A backend whose connections resume by their token: it echoes each number as `echo N`, and to `push` it sends the next
 * number of its own.
 */
export async function startApplication(
  sessions: Map<string, Session>,
  {
    givesToken = true,
    respondsAfterMs = 0,
    ...options
  }: ServerOptions & { givesToken?: boolean; respondsAfterMs?: number } = {},
): Promise<Application> {
  const server = new WebSocketServer(options.noServer === true ? options : { port: 0, host: '127.0.0.1', ...options });
  const handshakes: IncomingHttpHeaders[] = [];
  const closed: number[] = [];
  server.on('headers', (headers, { headers: asked }) => {
    const offered = asked['x-drainshift-resume-token'];
    if (givesToken && typeof offered === 'string') headers.push(`X-Drainshift-Resume-Token: ${offered}`);
  });
  server.on('connection', (socket, { headers }) => {
    handshakes.push(headers);
    const token = String(headers['x-drainshift-resume'] ?? headers['x-drainshift-resume-token']);
    const session = sessions.get(token) ?? { received: [], sent: 0 };
    sessions.set(token, session);
    socket.on('error', () => undefined);
    socket.on('close', (code) => closed.push(code));
    socket.on('message', (data: Buffer) => {
      const text = data.toString();
      if (text === 'push') return socket.send(`push ${(session.sent += 1)}`);
      session.received.push(Number.parseInt(text, 10));
      const respond = () => socket.send(`echo ${Number.parseInt(text, 10)}`);
      if (respondsAfterMs === 0) respond();
      else setTimeout(respond, respondsAfterMs);
    });
  });
  later(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  if (options.noServer === true) return { port: 0, server, handshakes, closed };
  await new Promise((resolve) => server.once('listening', resolve));
  return { port: (server.address() as AddressInfo).port, server, handshakes, closed };
}

export const MOVES = {
  mode: 'resumable',
  timeoutMs: 5_000,
  concurrency: 64,
  never: [],
  dropsContextTakeover: false,
} as const satisfies MoveConfig;

export interface MoveWorld {
  readonly proxy: TestProxy;
  readonly port: number;
  retarget(to: 'source' | 'target', moves?: Moves): Promise<void>;
  order(path: string, body: object): Promise<void>;
}

/** A proxy between two backends. */
export async function startMoves(
  source: number,
  target: number,
  moves: Partial<MoveConfig> = {},
  changes: ProxyChanges = {},
): Promise<MoveWorld> {
  const otherUpstream = { protocol: 'http' as const, host: '127.0.0.1', port: target };
  const proxy = await startTestProxy(source, { otherUpstream, moves: { ...MOVES, ...moves }, ...changes });
  const order = async (path: string, body: object) => {
    const got = await callAdmin(proxy.admin?.port ?? 0, { method: 'POST', path, body: JSON.stringify(body) });
    expect([got.status, got.body]).toEqual([202, expect.any(String)]);
  };
  return {
    proxy,
    port: proxy.data.port,
    order,
    retarget: (to, asked) => order('/retarget', { to, ...(asked && { moves: asked }) }),
  };
}

export interface Client {
  readonly socket: WebSocket;
  readonly texts: string[];
  /** The fields of its 101. */
  readonly fields: IncomingHttpHeaders;
  readonly codes: number[];
}

export async function connectClient(
  port: number,
  path = '/ws',
  options: ConstructorParameters<typeof WebSocket>[2] & { protocols?: string[] } = {},
): Promise<Client> {
  const { protocols = [], ...rest } = options;
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, { perMessageDeflate: false, ...rest });
  later(() => socket.terminate());
  const texts: string[] = [];
  const codes: number[] = [];
  let fields: IncomingHttpHeaders = {};
  socket.on('upgrade', ({ headers }) => (fields = headers));
  socket.on('message', (data: Buffer) => texts.push(data.toString()));
  socket.on('close', (code) => codes.push(code));
  socket.on('error', () => undefined);
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  return { socket, texts, fields, codes };
}

export interface RawHandshake {
  readonly socket: Socket;
  /** Its head. */
  readonly head: string;
  /** All that came behind the head, without the pings of a move, which get their Pongs. */
  received(): Buffer;
  /** Calls for each read of that. */
  onData(call: () => void): void;
  /** Responds with a 101 that accepts, with these lines more. */
  accept(lines?: string): void;
}

/** Head, mask and payload of a ping of a move. */
const PING_BYTES = 14;

/** A backend that speaks bytes, as each test has it. */
export async function startRaw(
  onHandshake: (handshake: RawHandshake) => void,
  { respondsToPings = true } = {},
): Promise<number> {
  return startRawBackend((socket) => {
    let bytes = Buffer.alloc(0);
    let headEnd = -1;
    let tell: () => void = () => undefined;
    socket.allowHalfOpen = true;
    socket.on('data', (chunk: Buffer) => {
      const ping = chunk.subarray(-PING_BYTES);
      const isPing = respondsToPings && headEnd >= 0 && ping.length === PING_BYTES && ping.readUInt16BE(0) === 0x8988;
      if (isPing) {
        const payload = ping.subarray(6).map((byte, at) => byte ^ ping[2 + (at % 4)]!);
        socket.write(Buffer.concat([Buffer.from([0x8a, payload.length]), payload]));
      }
      const rest = isPing ? chunk.subarray(0, -PING_BYTES) : chunk;
      bytes = Buffer.concat([bytes, rest]);
      if (headEnd >= 0 && rest.length > 0) tell();
      if (headEnd >= 0) return;
      headEnd = bytes.indexOf('\r\n\r\n');
      if (headEnd < 0) return;
      const head = bytes.toString('latin1', 0, headEnd);
      const key = /^sec-websocket-key: (.*)$/im.exec(head)?.[1]?.trim() ?? '';
      onHandshake({
        socket,
        head,
        received: () => bytes.subarray(headEnd + 4),
        onData: (call) => void (tell = call),
        accept: (lines = '') =>
          void socket.write(
            `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n${lines}\r\n`,
          ),
      });
    });
  });
}

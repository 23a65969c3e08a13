import net from 'node:net';
import tls from 'node:tls';
import { later } from '../../../support/world';

export const DATA = 0;
export const HEADERS = 1;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PING = 6;
export const GOAWAY = 7;
export const END_STREAM = 1;
const END_HEADERS = 4;
const NAMES = ['DATA', 'HEADERS', 'PRIORITY', 'RST_STREAM', 'SETTINGS', 'PUSH', 'PING', 'GOAWAY', 'WINDOW_UPDATE'];
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** The fields of the least request. */
export const GET = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a'],
] as const;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** One frame (RFC 9113 section 4.1). */
export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A head of literal fields that are not indexed (RFC 7541 section 6.2.2), the names and values as they are. */
export function headers(stream: number, fields: readonly (readonly [string, string])[], isEnd: boolean): Buffer {
  const lines = fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)]));
  return frame(HEADERS, END_HEADERS | (isEnd ? END_STREAM : 0), stream, Buffer.concat(lines));
}

/** A string with its length in one byte, so under 127 bytes. */
function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')]);
}

export interface FrameClient {
  readonly socket: net.Socket;
  readonly frames: Frame[];
  isClosed: boolean;
  send(...frames: Buffer[]): void;
  /** As `NAME` or `NAME:code` what came for a stream; 0 is the connection, of which settings and windows are left out. */
  notified(stream: number): string[];
}

/** A client that speaks bytes, for what no HTTP/2 library would send or tell. */
export async function frameClient(port: number, protocol: 'http' | 'https' = 'http'): Promise<FrameClient> {
  const where = { port, host: '127.0.0.1', allowHalfOpen: true };
  const secure = { ALPNProtocols: ['h2'], rejectUnauthorized: false };
  const socket = protocol === 'https' ? tls.connect({ ...where, ...secure }) : net.connect(where);
  later(() => void socket.destroy());
  let bytes = Buffer.alloc(0);
  const client: FrameClient = {
    socket,
    frames: [],
    isClosed: false,
    send: (...frames) => void socket.write(Buffer.concat(frames)),
    notified: (stream) => client.frames.filter((one) => one.stream === stream).flatMap(describe),
  };
  socket.on('error', () => undefined);
  socket.on('close', () => (client.isClosed = true));
  socket.on('end', () => (client.isClosed = true));
  socket.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    for (let length = frameLength(bytes); length <= bytes.length; length = frameLength(bytes)) {
      client.frames.push({
        type: bytes[3] ?? 0,
        flags: bytes[4] ?? 0,
        stream: bytes.readUInt32BE(5),
        payload: bytes.subarray(9, length),
      });
      bytes = bytes.subarray(length);
    }
  });
  await new Promise((resolve) => socket.once(protocol === 'https' ? 'secureConnect' : 'connect', resolve));
  client.send(PREFACE, frame(SETTINGS, 0, 0));
  return client;
}

function frameLength(bytes: Buffer): number {
  return bytes.length < 9 ? Infinity : 9 + bytes.readUIntBE(0, 3);
}

function describe({ type, flags, payload }: Frame): string[] {
  const name = NAMES[type] ?? String(type);
  if (name === 'SETTINGS' || name === 'WINDOW_UPDATE') return [];
  if (type === RST_STREAM) return [`${name}:${payload.readUInt32BE(0)}`];
  if (type === GOAWAY) return [`${name}:${payload.readUInt32BE(4)}`];
  const isEnd = (type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0;
  return [isEnd ? `${name} END` : name];
}

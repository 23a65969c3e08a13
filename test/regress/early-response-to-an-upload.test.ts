import http from 'node:http';
import tls from 'node:tls';
import {
  later,
  liveIn,
  selfSigned,
  startBackend,
  startEngine,
  startRawBackend,
  stopAll,
  until,
} from '../proxy/support/world';

afterEach(stopAll);

/** Responds at the head of a request, and leaves its connection open without reading on. */
async function startHasty(body: string): Promise<{ port: number; open: () => number }> {
  let open = 0;
  const port = await startRawBackend((socket) => {
    open += 1;
    socket.on('close', () => (open -= 1));
    socket.once('data', () => {
      socket.pause();
      socket.write(`HTTP/1.1 413 Content Too Large\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      // Reads again when all is over, to see the end.
      setTimeout(() => socket.resume(), 50);
    });
  });
  return { port, open: () => open };
}

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly payload: Buffer;
}

const DATA = 0;
const RST_STREAM = 3;
const END_STREAM = 1;
/** POST https://a/ with its first bytes, by RFC 7541 appendix A and RFC 9113 section 6. */
const BEGUN_UPLOAD = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from('000000040000000000', 'hex'),
  Buffer.from('00000601040000000183878441' + '0161', 'hex'),
  Buffer.from('000005000000000001', 'hex'),
  Buffer.from('begun'),
]);

/** The frames of the one stream, as they come over the wire: Node's client does not tell how a stream was ended. */
async function framesOfUpload(port: number): Promise<Frame[]> {
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  later(() => void socket.destroy());
  socket.on('error', () => undefined);
  let bytes = Buffer.alloc(0);
  socket.on('data', (chunk) => (bytes = Buffer.concat([bytes, chunk])));
  socket.write(BEGUN_UPLOAD);
  const frames = () => framesIn(bytes);
  await until(() => frames().some(({ type }) => type === RST_STREAM));
  return frames();
}

function framesIn(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + 9 <= bytes.length;) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    const frame = { type: bytes[at + 3] ?? 0, flags: bytes[at + 4] ?? 0, payload: bytes.subarray(at + 9, end) };
    if (bytes.readUInt32BE(at + 5) === 1) frames.push(frame);
    at = end;
  }
  return frames;
}

test.each([0, 1, 60_000])('HTTP/2: the stream ends without an error behind a response of %d bytes', async (length) => {
  const backend = await startHasty('n'.repeat(length));
  const engine = await startEngine(backend.port, { tls: await selfSigned() });
  const frames = await framesOfUpload(engine.port);
  const data = frames.filter(({ type }) => type === DATA).map(({ payload }) => payload);
  expect(Buffer.concat(data)).toHaveLength(length);
  expect(frames.findIndex(({ flags }) => (flags & END_STREAM) !== 0)).toBe(frames.length - 2);
  expect(frames.at(-1)).toEqual({ type: RST_STREAM, flags: 0, payload: Buffer.alloc(4) });
  await until(() => liveIn(engine.ledger) === 0);
  expect(engine.outcomes).toMatchObject([{ status: 413, kind: 'http', ending: 'completed' }]);
  await until(() => backend.open() === 0);
});

test('HTTP/2: so it does behind trailers, and behind a response of our own', async () => {
  const backend = await startBackend((_, response) => {
    response.writeHead(200, { trailer: 'x-sum' }).write('body');
    response.addTrailers({ 'x-sum': '42' });
    response.end();
  });
  const engine = await startEngine(backend.port, { tls: await selfSigned() });
  const frames = await framesOfUpload(engine.port);
  expect(frames.map(({ type, flags }) => [type, flags & END_STREAM])).toEqual([
    [1, 0],
    [DATA, 0],
    [1, 1],
    [RST_STREAM, 0],
  ]);
  for (const status of [503, 204]) {
    const tls = await selfSigned();
    const rejecting = await startEngine(backend.port, { tls, decide: () => ({ response: { status } }) });
    const refused = await framesOfUpload(rejecting.port);
    expect(refused.at(-1)?.payload).toEqual(Buffer.alloc(4));
    expect(refused.findIndex(({ flags }) => (flags & END_STREAM) !== 0)).toBe(refused.length - 2);
  }
});

test('HTTP/1.1: the connection to the upstream is not left waiting for the rest of the body', async () => {
  const backend = await startHasty('no');
  const engine = await startEngine(backend.port);
  const request = http.request({ host: '127.0.0.1', port: engine.port, method: 'POST', agent: false });
  request.on('error', () => undefined);
  later(() => void request.destroy());
  request.write('begun');
  const response = await new Promise<http.IncomingMessage>((resolve) => request.once('response', resolve));
  response.resume();
  expect(response.statusCode).toBe(413);
  await until(() => liveIn(engine.ledger) === 0);
  await until(() => backend.open() === 0);
});

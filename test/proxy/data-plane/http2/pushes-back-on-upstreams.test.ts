import { stopAll, until } from '../../support/world';
import { Heard, startHttp2Backend, startUpstreams } from './support/upstreams';

afterEach(stopAll);

const PIECE = Buffer.alloc(64 * 1024, 'p');
const TOTAL = 4 * 1024 * 1024;

test('an upstream that does not read is waited for, and what was sent is whole', async () => {
  const backend = await startHttp2Backend(() => undefined);
  const { open } = startUpstreams();
  const heard: Heard = open(backend.upstream, { method: 'POST', bodyLength: TOTAL });
  let sent = 0;
  const fill = () => {
    const half = heard.half!;
    while (!half.isBackedUp && sent < TOTAL) {
      const borrowed = Buffer.from(PIECE);
      half.send(borrowed);
      borrowed.fill(0);
      sent += borrowed.length;
    }
    half.flush();
    if (sent === TOTAL) half.finish('');
  };
  heard.upstreamDrained = fill;
  await until(() => backend.streams.length === 1 && heard.half!.isBackedUp && sent > 0);
  expect(sent).toBeLessThan(TOTAL);
  const stream = backend.streams[0]!;
  let received = 0;
  let others = 0;
  stream.on('data', (bytes: Buffer) => {
    received += bytes.length;
    others += bytes.filter((byte) => byte !== PIECE[0]).length;
  });
  stream.on('end', () => stream.respond({ ':status': 200 }, { endStream: true }));
  await until(() => heard.isOver);
  expect([received, others, heard.failure]).toEqual([TOTAL, 0, undefined]);
});

test('a response that is not wanted yet stays with the upstream, and other streams go on', async () => {
  const backend = await startHttp2Backend((stream, headers) => {
    stream.respond({ ':status': 200 });
    stream.end(Buffer.alloc(headers[':path'] === '/held' ? TOTAL : 200_000));
  });
  const { open } = startUpstreams();
  const held = open(backend.upstream, { url: '/held' });
  held.half.pauseResponse();
  const other = open(backend.upstream);
  await until(() => other.isOver);
  expect([other.bytes, held.bytes]).toEqual([200_000, 0]);
  held.half.resumeResponse();
  await until(() => held.isOver);
  expect([held.bytes, held.failure]).toEqual([TOTAL, undefined]);
});

test('a response before the end of the upload is whole', async () => {
  const backend = await startHttp2Backend((stream) => {
    stream.respond({ ':status': 413 });
    stream.end('no');
  });
  const { open } = startUpstreams();
  const heard = open(backend.upstream, { method: 'POST', bodyLength: -1 });
  heard.half.send(Buffer.from('begun'));
  await until(() => heard.isOver);
  expect([heard.head?.status, heard.body, heard.failure]).toEqual([413, 'no', undefined]);
  heard.half.send(Buffer.from('more'));
  heard.half.finish('');
  heard.half.destroy();
  await until(() => backend.streams[0]!.destroyed);
});

import http2 from 'node:http2';
import { later, liveIn, startEngine, startRawBackend, stopAll, until } from '../../support/world';
import { startHttp2Backend } from './support/upstreams';
import { ask, connect } from './support/sessions';

afterEach(stopAll);

test.each([600, 700, 999])('a status of %d is a 500 over HTTP/2, with all that came with it', async (status) => {
  const port = await startRawBackend((socket) => {
    socket.on('data', () => socket.write(`HTTP/1.1 ${status} Odd\r\nX-A: 1\r\nContent-Length: 4\r\n\r\nbody`));
  });
  const engine = await startEngine(port);
  const session = await connect(engine.port);
  const got = ask(session, {});
  await until(() => got.code !== undefined);
  expect(got).toMatchObject({ status: 500, body: 'body', code: 0 });
  await until(() => liveIn(engine.ledger) === 0);
  expect(engine.outcomes).toMatchObject([{ status, ending: 'completed' }]);
});

const INTERIM = [100, 102, 103, 104, 199];

test('every interim response of an HTTP/2 upstream reaches an HTTP/2 client, and only so many', async () => {
  const backend = await startHttp2Backend((stream, { ':path': path }) => {
    const statuses = path === '/many' ? Array.from({ length: 33 }, () => 103) : INTERIM;
    for (const status of statuses) stream.additionalHeaders({ ':status': status, 'x-of': String(status) });
    stream.respond({ ':status': 200 }, { endStream: true });
  });
  const upstream = { ...backend.upstream, isHttp2: true };
  const engine = await startEngine(backend.upstream.port, { decide: () => ({ forward: { upstream } }) });
  const session = http2.connect(`http://127.0.0.1:${engine.port}`);
  later(() => session.destroy());
  const heard: [number, unknown][] = [];
  const stream = session.request({ ':path': '/' });
  stream.on('headers', (fields) => heard.push([Number(fields[':status']), fields['x-of']]));
  stream.on('response', (fields) => heard.push([Number(fields[':status']), fields['x-of']]));
  stream.resume();
  await until(() => stream.closed);
  expect(heard).toEqual([
    ...INTERIM.map((status) => [status, status === 100 ? undefined : String(status)]),
    [200, undefined],
  ]);
  const many = ask(session, { ':path': '/many' });
  await until(() => many.code !== undefined);
  expect(many.status).toBe(502);
});

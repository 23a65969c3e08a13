import { mirror, Mirrored } from '../../support/mirror';
import { liveIn, selfSigned, startBackend, startEngine, stopAll, until } from '../../support/world';
import { ask, connect } from './support/sessions';

afterEach(stopAll);

describe.each(['http', 'https'] as const)('over %s', (scheme) => {
  async function start() {
    const backend = await startBackend(mirror, { keepAliveTimeout: 0 });
    const engine = await startEngine(backend.port, scheme === 'https' ? { tls: await selfSigned() } : {});
    return { backend, engine, session: await connect(engine.port, scheme) };
  }

  test('requests of all sorts on one connection at once, and each has its own response', async () => {
    const { engine, session } = await start();
    const bodies = Array.from({ length: 40 }, (_, index) => (index % 3 === 0 ? undefined : 'b'.repeat(index * 1_000)));
    const asked = bodies.map((body, index) =>
      ask(
        session,
        { ':method': body === undefined ? 'GET' : 'POST', ':path': `/${index}?q`, cookie: ['a=1', 'b=2'] },
        body,
      ),
    );
    await until(() => asked.every(({ code }) => code !== undefined));
    asked.forEach((got, index) => {
      expect([got.status, got.code]).toEqual([200, 0]);
      const seen = JSON.parse(got.body) as Mirrored;
      expect(seen).toMatchObject({ url: `/${index}?q`, body: bodies[index] ?? '', headers: { cookie: 'a=1; b=2' } });
    });
    await until(() => liveIn(engine.ledger) === 0);
    // One that takes long, as on a slow machine, counts as streaming.
    const { http, streaming } = engine.ledger.ended;
    expect(http.completed + streaming.completed).toBe(40);
  });

  test('requests one after the other, over a kept connection that never ends', async () => {
    const { session, backend } = await start();
    for (const method of ['GET', 'POST', 'GET', 'HEAD', 'DELETE']) {
      const got = ask(session, { ':method': method }, method === 'POST' ? 'body' : undefined);
      await until(() => got.code !== undefined);
      expect([got.status, got.code]).toEqual([200, 0]);
    }
    expect(backend.sockets.size).toBe(1);
  });

  test('trailers of an upload reach the upstream', async () => {
    const { session } = await start();
    const stream = session.request({ ':method': 'POST', ':path': '/' }, { waitForTrailers: true });
    let body = '';
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42' }));
    stream.on('data', (bytes: Buffer) => (body += bytes.toString()));
    stream.end('body');
    await until(() => stream.destroyed);
    expect(JSON.parse(body)).toMatchObject({ body: 'body', trailers: { 'x-sum': '42' } });
  });

  test('a large upload and a large response are whole', async () => {
    const { session } = await start();
    const body = 'x'.repeat(3_000_000);
    const got = ask(session, { ':method': 'POST' }, body);
    await until(() => got.code !== undefined);
    expect((JSON.parse(got.body) as Mirrored).body).toHaveLength(body.length);
  });

  test('what the route replaces comes to the upstream', async () => {
    const backend = await startBackend(mirror);
    const engine = await startEngine(backend.port, {
      ...(scheme === 'https' && { tls: await selfSigned() }),
      decide: () => ({
        forward: {
          upstream: { protocol: 'http', host: '127.0.0.1', port: backend.port },
          requestHeaders: { 'x-forwarded-for': '192.0.2.1', 'x-secret': undefined },
          responseHeaders: () => ({ 'set-cookie': ['side=source'] }),
        },
      }),
    });
    const got = ask(await connect(engine.port, scheme), { 'x-forwarded-for': '1.1.1.1', 'x-secret': 'y' });
    await until(() => got.code !== undefined);
    const { headers } = JSON.parse(got.body) as Mirrored;
    expect([headers['x-forwarded-for'], headers['x-secret']]).toEqual(['192.0.2.1', undefined]);
    expect(got.headers['set-cookie']).toEqual(['side=source']);
  });
});

test('a drain sends a session away, and what crosses it is served', async () => {
  const backend = await startBackend(mirror);
  const engine = await startEngine(backend.port);
  const session = await connect(engine.port);
  engine.plane.setDraining(true);
  const got = ask(session, { ':path': '/crossing' });
  await until(() => got.code !== undefined && session.destroyed);
  expect([got.status, got.code]).toEqual([200, 0]);
});

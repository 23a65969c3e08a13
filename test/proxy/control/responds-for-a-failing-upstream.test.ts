import { get, liveIn, startBackend, startEngine, startRawBackend, stopAll, until } from '../support/world';

afterEach(stopAll);

describe('an upstream that fails', () => {
  test('rejects the connection: connectRefused', async () => {
    const backend = await startBackend((_, response) => response.end());
    backend.server.close();
    const engine = await startEngine(backend.port);
    expect(await get({ port: engine.port })).toMatchObject({ status: 502, body: 'connectRefused' });
    await until(() => engine.outcomes.length === 1);
    expect(engine.outcomes).toMatchObject([
      { status: 502, kind: 'http', ending: 'completed', failure: 'connectRefused' },
    ]);
  });

  test('responds with no HTTP: malformed', async () => {
    const port = await startRawBackend((socket) => socket.end('hello\r\n\r\n'));
    const engine = await startEngine(port);
    expect(await get({ port: engine.port })).toMatchObject({ status: 502, body: 'malformed' });
  });

  test('hangs up: reset', async () => {
    const port = await startRawBackend((socket) => socket.once('data', () => socket.destroy()));
    const engine = await startEngine(port);
    expect(await get({ port: engine.port, method: 'POST' }, 'x')).toMatchObject({ status: 502, body: 'reset' });
  });

  test('stays silent: idleTimeout', async () => {
    const port = await startRawBackend(() => undefined);
    const engine = await startEngine(port, { timeouts: { upstreamIdleMs: 50 } });
    expect(await get({ port: engine.port })).toMatchObject({ status: 504, body: 'idleTimeout' });
    expect(liveIn(engine.ledger)).toBe(0);
  });

  test('breaks off inside its response: so does the client’s', async () => {
    const port = await startRawBackend((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
        setTimeout(() => socket.destroy(), 20);
      });
    });
    const engine = await startEngine(port);
    await expect(get({ port: engine.port })).rejects.toThrow();
    await until(() => engine.outcomes.length === 1);
    expect(engine.outcomes).toMatchObject([{ status: 200, kind: 'http', ending: 'forced', failure: 'reset' }]);
    expect(engine.ledger.ended.http.forced).toBe(1);
  });
});

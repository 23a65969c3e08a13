import { Ticker, Ticking } from '../../../../proxy/data-plane/shared/ticker';
import { exchangeBytes, get, later, startBackend, startEngine, stopAll, until } from '../../support/world';

afterEach(stopAll);

test('one that throws costs the others no tick, and is reported', async () => {
  const faults: unknown[] = [];
  const ticker = new Ticker(5, (error) => faults.push(error));
  later(() => ticker.stop());
  const ticks = { before: 0, after: 0 };
  const member = (tick: () => void): Ticking => ({ tick });
  ticker.add(member(() => (ticks.before += 1)));
  const broken = member(() => {
    throw new Error('broken');
  });
  ticker.add(broken);
  ticker.add(member(() => (ticks.after += 1)));
  await until(() => ticks.after >= 2);
  expect(faults[0]).toEqual(new Error('broken'));
  expect([ticks.before, faults.length]).toEqual([ticks.after, ticks.after]);
  ticker.remove(broken);
  const notified = faults.length;
  await until(() => ticks.after > notified + 1);
  expect(faults).toHaveLength(notified);
});

test('an error at the deadline of one client costs it its response, and no one else anything', async () => {
  const backend = await startBackend((request, response) => {
    request.resume().on('end', () => response.end('ok'));
  });
  const faults: unknown[] = [];
  const engine = await startEngine(backend.port, {
    timeouts: { headMs: 50, bodyIdleMs: 50 },
    refused: () => {
      throw new Error('the log is full');
    },
    faulted: (error) => faults.push(error),
  });
  const LATE = 'GET / HTTP/1.1\r\n';
  const STALLED = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf';
  const [late, stalled] = await Promise.all([exchangeBytes(engine.port, LATE), exchangeBytes(engine.port, STALLED)]);
  expect(late).toBe('');
  expect(stalled).toMatch(/^HTTP\/1\.1 408 /);
  expect(faults).toEqual([new Error('the log is full')]);
  expect(await get({ port: engine.port })).toMatchObject({ status: 200, body: 'ok' });
});

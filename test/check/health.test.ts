import { checkHealth } from '../../check/health';
import { HEALTHY_STATUSES } from '../../core/check/health';
import { goOn, quiet, serve, stopServers, targetFor } from './servers';

afterEach(stopServers);

const rules = { statuses: HEALTHY_STATUSES, fieldRules: [] };

test('polls once, or for a time, and keeps what was bad', async () => {
  let polls = 0;
  const port = await serve({
    onRequest: (_, response) => {
      polls += 1;
      response.end(JSON.stringify({ status: polls === 3 ? 'starting' : 'healthy', connections: polls }));
    },
  });
  const target = targetFor(`http://127.0.0.1:${port}/health`);
  const seen: unknown[] = [];
  const once = await checkHealth(target, { intervalMs: 1, rules }, goOn(), quiet(), (poll) => seen.push(poll.fields));
  expect(once).toMatchObject({ polls: 1, bad: 0, broken: [] });
  expect(seen).toEqual([{ status: 'healthy', connections: 1 }]);
  const stop = new AbortController();
  const plan = { intervalMs: 5, durationMs: 86_400_000, rules };
  const many = await checkHealth(target, plan, stop.signal, quiet(), () => polls === 5 && stop.abort());
  expect(many).toMatchObject({ polls: 4, bad: 1, broken: [{ name: 'status', got: '"starting"' }] });
  expect(many.badPolls.map(({ fields }) => fields.connections)).toEqual([3]);
});

test('a stop ends it between two polls', async () => {
  const stop = new AbortController();
  const port = await serve({ onRequest: (_, response) => response.end('{}') });
  const plan = { intervalMs: 3_600_000, durationMs: 7_200_000, rules };
  const target = targetFor(`http://127.0.0.1:${port}/`);
  const found = await checkHealth(target, plan, stop.signal, quiet(), () => stop.abort());
  expect(found).toMatchObject({ polls: 1, bad: 0 });
});

test('polls that a late response has left out are not made up for, and it ends when its time has passed', async () => {
  const port = await serve({ onRequest: (_, response) => void setTimeout(() => response.end('{}'), 120) });
  const plan = { intervalMs: 20, durationMs: 300, rules };
  const { polls } = await checkHealth(targetFor(`http://127.0.0.1:${port}/`), plan, goOn(), quiet(), () => undefined);
  expect(polls).toBeGreaterThan(0);
  // One in 120 ms, and none after 300: those that were due meanwhile would make it 15.
  expect(polls).toBeLessThan(5);
});

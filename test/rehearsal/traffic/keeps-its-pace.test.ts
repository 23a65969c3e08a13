import { setTimeout as delay } from 'node:timers/promises';
import { HttpChecker } from '../../../rehearsal/traffic/http-checker';
import { Pace } from '../../../rehearsal/traffic/pace';
import { Recorder } from '../../../rehearsal/traffic/recorder';
import { until } from './front';

test('what became due while a user waited for an answer follows, each with the time when it was due', async () => {
  const pace = new Pace();
  const due: number[] = [];
  pace.add({ count: 1, perSecondEach: 20, arrivalMs: 0 }, () => async (dueMs) => {
    if (due.push(dueMs) === 1) await delay(400);
  });
  await until(() => due.length > 8);
  await pace.stop();
  const intervals = due.slice(1).map((at, index) => Math.round(at - (due[index] ?? 0)));
  expect(new Set(intervals)).toEqual(new Set([50]));
});

test('users arrive one after the other', async () => {
  const pace = new Pace();
  const arrived = new Map<number, number>();
  pace.add({ count: 4, perSecondEach: 20, arrivalMs: 400 }, (index) => (dueMs) => {
    if (!arrived.has(index)) arrived.set(index, dueMs);
    return Promise.resolve();
  });
  await until(() => arrived.size === 4);
  await pace.stop();
  const first = arrived.get(0) ?? 0;
  expect([0, 1, 2, 3].map((index) => Math.round(((arrived.get(index) ?? 0) - first) / 10))).toEqual([0, 10, 20, 30]);
});

test('a latency counts from when the request was due', async () => {
  const recorder = new Recorder();
  const answer = { status: 200, headers: {}, body: Buffer.alloc(0) };
  const transport = { send: () => Promise.resolve(answer), close: () => undefined };
  const checker = new HttpChecker('a', transport, recorder);
  checker.due(performance.now() - 700);
  await checker.ask({ method: 'GET', path: '/' }, { status: 200 });
  expect(recorder.latency.quantile(1)).toBeGreaterThanOrEqual(700);
});

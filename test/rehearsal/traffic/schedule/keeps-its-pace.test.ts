import { HttpChecker } from '../../../../rehearsal/traffic/clients/http-checker';
import { Shopper } from '../../../../rehearsal/traffic/clients/http-users';
import { Pace } from '../../../../rehearsal/traffic/schedule/pace';
import { Recorder } from '../../../../rehearsal/traffic/counting/recorder';
import type { HttpResponse } from '../../../../rehearsal/traffic/transport/transport';
import { inTurn } from '../../../../rehearsal/traffic/schedule/schedule';
import { until } from '../../../support/until';

test('what becomes due while a response is owed is done at its time, not after it', async () => {
  const pace = new Pace();
  const due: number[] = [];
  let respond = (): void => undefined;
  const owed = new Promise<void>((resolve) => (respond = resolve));
  pace.add({ count: 1, perSecondEach: 20, arrivalMs: 0 }, () => async (dueMs) => {
    if (due.push(dueMs) === 1) await owed;
  });
  await until(() => due.length > 8);
  const stopped = pace.stop();
  respond();
  await stopped;
  const intervals = due.slice(1).map((at, index) => Math.round(at - (due[index] ?? 0)));
  expect(new Set(intervals)).toEqual(new Set([50]));
});

test('a user whose next request follows from the last response waits, and what is never sent is counted', async () => {
  const recorder = new Recorder();
  let respond = (): void => undefined;
  const owed = new Promise<HttpResponse>((resolve) => {
    respond = () => resolve({ status: 200, headers: {}, body: Buffer.from('{"session":"s"}') });
  });
  const pace = new Pace();
  const transport = { send: () => owed, close: () => undefined, maxAtOnce: 1 };
  const checker = new HttpChecker('shop', transport, recorder);
  const act = inTurn(new Shopper(checker, 'a').act, 1, pace.ended, (dueMs) => checker.leaveOut(dueMs));
  let due = 0;
  pace.add({ count: 1, perSecondEach: 20, arrivalMs: 0 }, () => (dueMs) => ((due += 1), act(dueMs)));
  await until(() => due === 5);
  const stopped = pace.stop();
  respond();
  await stopped;
  expect(recorder.http).toMatchObject({ sent: 1, ok: 1, unsent: 4 });
  expect(recorder.latency.longest).toBeGreaterThanOrEqual(190);
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
  expect([...arrived.keys()]).toEqual([0, 1, 2, 3]);
  // A machine that is short of processor time lets one arrive late, and none early.
  for (const [index, atMs] of arrived) expect(atMs - first).toBeGreaterThanOrEqual(100 * index - 2);
});

test('a latency counts from when the request was due', async () => {
  const recorder = new Recorder();
  const response = { status: 200, headers: {}, body: Buffer.alloc(0) };
  const transport = { send: () => Promise.resolve(response), close: () => undefined, maxAtOnce: 1 };
  const checker = new HttpChecker('a', transport, recorder);
  await checker.ask({ method: 'GET', path: '/' }, { status: 200, use: 'reads' }, performance.now() - 700);
  expect(recorder.latency.quantile(1)).toBeGreaterThanOrEqual(700);
});

import { isEcho, isProcess, signalChild } from '../../../core/errors/signals';

test('the same signal again is an echo for a second', () => {
  expect([isEcho(-Infinity, 0), isEcho(5, 5), isEcho(5, 1_004), isEcho(5, 1_005)]).toEqual([false, true, true, false]);
});

test.each([
  [undefined, false],
  [0, false],
  [-1, false],
  [1.5, false],
  [1, true],
])('whether %j is the id of one process: %j', (pid, is) => {
  expect(isProcess(pid)).toBe(is);
});

test.each([
  [undefined, true, []],
  [0, true, []],
  [7, true, ['SIGTERM']],
  [7, false, ['SIGTERM']],
])('a process of the id %j gets a signal only if there is one', (pid, accepts, sent) => {
  const signals: string[] = [];
  const child = {
    pid,
    kill: (signal: string) => {
      signals.push(signal);
      return accepts;
    },
  };
  expect(signalChild(child, 'SIGTERM')).toBe(sent.length > 0 && accepts);
  expect(signals).toEqual(sent);
});

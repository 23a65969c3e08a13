import { isEcho } from '../../../core/errors/signals';

test('the same signal again is an echo for a second', () => {
  expect([isEcho(-Infinity, 0), isEcho(5, 5), isEcho(5, 1_004), isEcho(5, 1_005)]).toEqual([false, true, true, false]);
});

import { since, sumCounters } from '../../../core/proxy/counters';
import { report } from '../../lambda/world';

test('counters are those of each instance', () => {
  expect(sumCounters([report('a', { total: 5, responded: 4, errors: 1 }), report('b')])).toEqual({
    a: { requests: 5, responded: 4, errors: 1 },
    b: { requests: 0, responded: 0, errors: 0 },
  });
});

test('what was counted since: a new instance from zero, and one that is gone takes its last requests with it', () => {
  const before = sumCounters([report('a', { total: 5, responded: 4, errors: 1 }), report('gone', { total: 9 })]);
  const now = sumCounters([report('a', { total: 8, responded: 6, errors: 2 }), report('new', { total: 3, errors: 1 })]);
  expect(since(before, now)).toEqual({ requests: 6, responded: 5, errors: 2 });
});

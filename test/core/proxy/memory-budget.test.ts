import { memoryState, findWorst } from '../../../core/proxy/memory-budget';

test.each([
  [79, 0, 'free'],
  [79, 60_000, 'free'],
  [80, 0, 'tight'],
  [99, 999, 'tight'],
  [80, 1_000, 'over'],
  [100, 0, 'over'],
] as const)('%d of 100 bytes, not free for %d ms, is %s', (held, tightForMs, state) => {
  expect(memoryState(held, 100, tightForMs)).toBe(state);
});

test('the worst are the largest, of equals the oldest, until half of the budget is free', () => {
  const held = [
    ['old', 10],
    ['young', 10],
    ['large', 40],
    ['small', 1],
    ['larger', 45],
  ] as const;
  expect(findWorst(held, 100)).toEqual(['larger', 'large']);
  expect(findWorst(held, 40)).toEqual(['larger', 'large', 'old']);
  expect(findWorst([['only', 49]], 100)).toEqual([]);
});

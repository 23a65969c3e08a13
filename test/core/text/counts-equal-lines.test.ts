import { RepeatedLines } from '../../../core/text/repeated-lines';

test('equal lines are one, with the time of the first and a count, whichever client of a kind saw it', () => {
  const lines = new RepeatedLines();
  for (let n = 0; n < 1_200; n += 1) lines.add(`12:00:${n}`, 'scenario', 'a product: expected 107, got 0');
  lines.add('12:01', 'websocket-0a1b2c3d-7', 'got 403');
  lines.add('12:02', 'websocket-0a1b2c3d-8', 'got 403');
  lines.add('12:03', 'echo', 'got 403');
  expect(lines.list()).toEqual([
    '12:00:0 scenario: a product: expected 107, got 0, 1,200 times',
    '12:01 websocket-0a1b2c3d-7: got 403, 2 times',
    '12:03 echo: got 403',
  ]);
});

test('no more than twenty that differ are kept', () => {
  const lines = new RepeatedLines();
  for (let n = 0; n < 30; n += 1) lines.add('12:00', 'echo', `got ${n}`);
  expect(lines.list()).toHaveLength(20);
});

import { formatCheckpoint, parseCheckpoint } from '../../../core/replay/checkpoint';

const ends = { from: 's3://captured/shop', to: 'http://target/' };
const owner = { run: 'r', host: 'h', pid: 7 };
const write = (fromMs: number, hasEnded: boolean) =>
  formatCheckpoint(ends, { position: { fromMs, finished: [['c.0', 5]] }, owner, hasEnded }, 1_790_000_000_000);

test('a position comes out as it was written, with its owner while that runs', () => {
  expect(parseCheckpoint(write(4, false), 'it', ends)).toEqual({
    position: { fromMs: 4, finished: [['c.0', 5]] },
    owner,
  });
  expect(parseCheckpoint(write(-Infinity, true), 'it', ends)).toEqual({
    position: { fromMs: -Infinity, finished: [['c.0', 5]] },
  });
});

test('each write differs, so that a reader sees that its owner lives', () => {
  expect(write(4, false)).not.toBe(
    formatCheckpoint(ends, { position: { fromMs: 4, finished: [] }, owner, hasEnded: false }, 1),
  );
});

test.each([
  ['no JSON', 'x', "'it' must be a checkpoint of version 1, got x"],
  ['another version', write(4, true).replace('"version":1', '"version":2'), "'it' must be a checkpoint of version 1"],
  ['an owner that is none', write(4, false).replace('"pid":7', '"pid":"7"'), "'it' must be a checkpoint of version 1"],
  [
    'another store',
    write(4, true).replace('captured', 'other'),
    "'it' must be of a replay from 's3://captured/shop' to 'http://target/', got one from 's3://other/shop' to 'http://target/'",
  ],
])('%s: name, rule and value', (_, text, message) => {
  expect(() => parseCheckpoint(text, 'it', ends)).toThrow(message);
});

import { noFaults, Sequence } from '../../../bench/move/sequence';

function follow(...numbers: readonly number[]) {
  const faults = noFaults();
  const sequence = new Sequence(faults);
  for (const number of numbers) sequence.take(number);
  return { faults, sequence };
}

test('numbers that come in turn have no fault', () => {
  expect(follow(1, 2, 3).faults).toEqual({ lost: 0, doubled: 0, outOfOrder: 0 });
});

test('numbers that are passed over are lost, the first ones too', () => {
  expect(follow(2, 5).faults).toEqual({ lost: 3, doubled: 0, outOfOrder: 0 });
});

test('a number that comes behind a higher one is out of order, and not lost', () => {
  expect(follow(1, 3, 2, 4).faults).toEqual({ lost: 0, doubled: 0, outOfOrder: 1 });
});

test('a number that comes once more is doubled, also where it was out of order', () => {
  expect(follow(1, 1, 3, 2, 2).faults).toEqual({ lost: 0, doubled: 2, outOfOrder: 1 });
});

test('a sequence goes on in another process, with what was missing', () => {
  const { faults, sequence } = follow(1, 4);
  const next = Sequence.unpack(sequence.pack(), faults);
  for (const number of [2, 5, 5]) next.take(number);
  expect(faults).toEqual({ lost: 1, doubled: 1, outOfOrder: 1 });
});

import { Comparison, compareKeys } from '../../../core/state/differences';

const KEYS = [
  '',
  'a',
  'a/1',
  'aa',
  'b',
  'é',
  '\u{7ff}',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '\u{10000}',
  '\u{10ffff}',
  'é\u{1f600}',
];

test('keys are in the order of their bytes, as any language can sort them', () => {
  for (const a of KEYS) {
    for (const b of KEYS) expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }
});

function compare(left: Readonly<Record<string, string>>, right: Readonly<Record<string, string>>) {
  const list = (side: Readonly<Record<string, string>>) =>
    Object.entries(side)
      .map(([key, digest]) => ({ key, digest }))
      .sort((a, b) => compareKeys(a.key, b.key));
  const [ones, others] = [list(left), list(right)];
  const comparison = new Comparison(['source', 'target']);
  while (ones.length > 0 || others.length > 0) {
    const taken = comparison.take(ones[0], others[0]);
    if (taken !== 'right') ones.shift();
    if (taken !== 'left') others.shift();
  }
  return comparison.differences;
}

test('each key that differs is counted, and the first of them are named', () => {
  expect(compare({ a: '1', b: '2' }, { b: '2', a: '1' })).toEqual({ count: 0, first: [] });
  expect(compare({ a: '1', b: '2', d: '4' }, { b: 'x', c: '3', d: '4' })).toEqual({
    count: 3,
    first: ["'a' is missing at the target", "'b' differs", "'c' is missing at the source"],
  });
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`${at}`.padStart(100, 'k'), '']));
  const { count, first } = compare(many, {});
  expect([count, first.length]).toEqual([100, 5]);
  expect(first.every((line) => line.length < 120)).toBe(true);
});

import { Differences } from '../../../core/compare/difference';
import { ComparedPair, DifferenceTally } from '../../../core/compare/difference-tally';
import { COMPARE_DEFAULTS } from '../../../core/compare/options';
import { PairBatches } from '../../../proxy/mirror/pair-batches';

function pair(url: string, source = 'x'.repeat(100_000)): ComparedPair {
  const differences = new Differences();
  differences.add('body.text', 'changed', source, `${source}!`);
  return { route: { method: 'GET', url }, isRepeat: false, differences };
}

function startBatches() {
  const sent: (readonly ComparedPair[])[] = [];
  const timers: (() => void)[] = [];
  let leave: () => void = () => undefined;
  const send = (pairs: readonly ComparedPair[]) => {
    sent.push(pairs);
    return new Promise<void>((resolve) => (leave = resolve));
  };
  const batches = new PairBatches({ after: (_, call) => (timers.push(call), () => undefined) }, send);
  return { sent, timers, batches, leave: () => leave() };
}

test('pairs leave together, one batch at a time, and what the other process counts is the same', async () => {
  const { sent, timers, batches, leave } = startBatches();
  const plain = new DifferenceTally(COMPARE_DEFAULTS);
  for (const url of ['/a/1', '/a/2']) {
    expect(batches.add(pair(url))).toBe(true);
    plain.add(pair(url));
  }
  expect(timers).toHaveLength(1);
  timers[0]!();
  batches.add(pair('/a/3'));
  // The first one has not left.
  expect([sent.length, timers.length]).toEqual([1, 1]);
  leave();
  await new Promise(setImmediate);
  expect(timers).toHaveLength(2);
  // Values are cut before they leave: as a process gets them.
  const received = structuredClone(sent[0]!);
  expect(JSON.stringify([...received[0]!.differences.byField]).length).toBeLessThan(1_000);
  const counted = new DifferenceTally(COMPARE_DEFAULTS);
  for (const each of received) counted.add(each);
  expect(counted.report()).toEqual(plain.report());
});

test('more than so many do not wait', () => {
  const { batches } = startBatches();
  const taken = Array.from({ length: 5_001 }, (_, at) => batches.add(pair(`/${at}`, 'a')));
  expect([taken.filter(Boolean).length, taken.at(-1)]).toEqual([5_000, false]);
});

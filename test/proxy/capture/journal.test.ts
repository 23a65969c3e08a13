import type { CaptureRecord, CaptureWriter } from '../../../capture/contract/store';
import { Journal } from '../../../proxy/capture/journal';
import { FakeClock } from '../support/fake-clock';

interface Write {
  readonly part: number;
  readonly keys: readonly string[];
  readonly succeed: () => void;
  readonly fail: () => void;
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

function openJournal() {
  const clock = new FakeClock();
  const writes: Write[] = [];
  let opened = 0;
  const writer: CaptureWriter = {
    append: (part, records) =>
      new Promise((resolve, reject) => {
        const keys = records.map(({ key }: CaptureRecord) => key);
        writes.push({ part, keys, succeed: resolve, fail: () => reject(new Error('no room')) });
      }),
    close: () => Promise.resolve(),
  };
  const open = () => {
    opened += 1;
    return Promise.resolve(writer);
  };
  const log = { warn: () => undefined, info: () => undefined };
  const journal = new Journal({ open, clock, maxBytes: 1_000_000, log });
  const durable: string[] = [];
  const add = (key: string) => journal.add({ key, bytes: Buffer.alloc(10) }, 'now', () => durable.push(key));
  /** It goes on for so long, and what waits for it runs. */
  const pass = async (ms: number) => {
    clock.advance(ms / 1_000);
    await settle();
  };
  return { journal, writes, durable, add, pass, countOpened: () => opened };
}

test('the store is opened at the start, not by the first write', async () => {
  const { countOpened } = openJournal();
  await settle();
  expect(countOpened()).toBe(1);
});

test('the first record is written at once, those of the next two milliseconds together', async () => {
  const { add, pass, writes } = openJournal();
  add('a');
  await settle();
  expect(writes.map(({ keys }) => keys)).toEqual([['a']]);
  add('b');
  await pass(1);
  add('c');
  expect(writes.length).toBe(1);
  await pass(1);
  expect(writes.map(({ part, keys }) => [part, ...keys])).toEqual([
    [1, 'a'],
    [2, 'b', 'c'],
  ]);
});

test('a write that takes long holds up no other', async () => {
  const { add, pass, writes, durable } = openJournal();
  add('slow');
  await settle();
  for (const key of ['b', 'c', 'd']) {
    await pass(2);
    add(key);
    await settle();
    writes.at(-1)!.succeed();
    await settle();
  }
  expect(durable).toEqual(['b', 'c', 'd']);
  writes[0]!.succeed();
  await settle();
  expect(durable).toEqual(['b', 'c', 'd', 'slow']);
});

test('six writes are under way at the most, and what waits is one when there is room', async () => {
  const { add, pass, writes } = openJournal();
  for (let at = 0; at < 10; at += 1) {
    add(String(at));
    await pass(2);
  }
  expect(writes.map(({ keys }) => keys.join())).toEqual(['0', '1', '2', '3', '4', '5']);
  writes[3]!.succeed();
  await pass(2);
  expect(writes.map(({ keys }) => keys.join())).toEqual(['0', '1', '2', '3', '4', '5', '6,7,8,9']);
});

test('where writes take long there are no more of them: two are usually under way', async () => {
  const { add, pass, writes } = openJournal();
  const startedMs: number[] = [];
  for (let ms = 0; ms < 2_000; ms += 1) {
    add(String(ms));
    await settle();
    while (startedMs.length < writes.length) startedMs.push(ms);
    // Each takes 40 ms.
    for (const [at, { succeed }] of writes.entries()) if (startedMs[at]! + 40 <= ms) succeed();
    await pass(1);
  }
  const underWay = startedMs.filter((from) => from > 1_500).length / (500 / 40);
  expect(underWay).toBeGreaterThan(1.5);
  expect(underWay).toBeLessThan(2.5);
});

test('a write that failed is repeated under its own number; closing counts what is left', async () => {
  const { add, pass, writes, durable, journal } = openJournal();
  add('a');
  await settle();
  writes[0]!.fail();
  await settle();
  expect(journal.failingSinceMs).toBeDefined();
  await pass(50);
  expect(writes.map(({ part, keys }) => [part, ...keys])).toEqual([
    [1, 'a'],
    [1, 'a'],
  ]);
  writes[1]!.succeed();
  await settle();
  expect(durable).toEqual(['a']);
  expect(journal.failingSinceMs).toBeUndefined();
  add('b');
  add('c');
  const closed = journal.close(0);
  await pass(0);
  expect(await closed).toBe(2);
});

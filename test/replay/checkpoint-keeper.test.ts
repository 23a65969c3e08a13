import { hostname } from 'node:os';
import { formatCheckpoint } from '../../core/replay/checkpoint';
import { HoldTimes, REMOTE_HOLD } from '../../core/replay/hold';
import type { ReplayPosition } from '../../core/replay/position';
import { CheckpointKeeper, openCheckpoint } from '../../replay/checkpoint-keeper';
import { MemoryPlace } from './place/memory-place';

const ends = { from: 'a', to: 'b' };
const first: ReplayPosition = { fromMs: -Infinity, finished: [] };
const at = (fromMs: number): ReplayPosition => ({ fromMs, finished: [] });

interface Opened {
  readonly keeper: CheckpointKeeper;
  readonly warned: string[];
  readonly lost: Error[];
}

async function open(place: MemoryPlace, times: Partial<HoldTimes> = {}, stop = new AbortController()): Promise<Opened> {
  const [warned, lost]: [string[], Error[]] = [[], []];
  const keeper = await openCheckpoint({
    ...{ place, ends, first, signal: stop.signal, times: { ...REMOTE_HOLD, pollMs: 1, ...times } },
    ...{ warn: (line) => warned.push(line), lose: (error) => lost.push(error) },
  });
  return { keeper, warned, lost };
}

const written = (fromMs: number, pid: number, host = 'other') =>
  formatCheckpoint(ends, { position: at(fromMs), owner: { run: 'r', host, pid }, hasEnded: false }, fromMs);

test('one that was left in order is gone on from at once', async () => {
  const place = new MemoryPlace();
  const { keeper } = await open(place);
  expect(keeper.start).toBe(first);
  await keeper.save(at(3));
  await keeper.release(at(5));
  const { keeper: next, warned } = await open(place);
  expect([next.start, warned]).toEqual([at(5), []]);
});

test('one whose owner writes no more is taken after its silence', async () => {
  const place = new MemoryPlace();
  place.put(written(4, 7));
  const { keeper, warned } = await open(place, { silenceMs: 50 });
  expect([keeper.start, warned]).toEqual([at(4), ["'it' is held by process 7 of other: waiting for its end"]]);
});

test('one whose owner goes on writing is left to it, and the error names the owner', async () => {
  const place = new MemoryPlace();
  let count = 0;
  const read = place.read.bind(place);
  place.read = () => {
    place.put(written((count += 1), 7));
    return read();
  };
  const rejected = expect(open(place, { maxWaitMs: 0 })).rejects;
  await rejected.toThrow("'it' must be of no replay that runs, got that of process 7 of other, which goes on");
  expect(place.stored?.text).toBe(written(count, 7));
});

test('the wait ends where it is stopped', async () => {
  const place = new MemoryPlace();
  place.put(written(4, 7));
  const stop = new AbortController();
  const opened = open(place, {}, stop);
  stop.abort();
  await expect(opened).rejects.toThrow("stopped while 'it' was held by process 7 of other: nothing was sent");
});

test('a file of a process of this machine that is gone is free at once; that of one that runs is not', async () => {
  const place = new MemoryPlace(true);
  // No process has a number like this.
  place.put(written(4, 2 ** 30, hostname()));
  expect((await open(place)).keeper.start).toEqual(at(4));
  place.put(written(5, process.ppid, hostname()));
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 50);
  await expect(open(place, {}, stop)).rejects.toThrow('stopped while');
});

test('a replay that was overtaken is lost with its next write, and leaves the other’s alone', async () => {
  const place = new MemoryPlace();
  const { keeper, lost } = await open(place);
  place.put(written(9, 8));
  await keeper.save(at(3));
  expect(lost.map(({ message }) => message)).toEqual([
    "'it' must be written by one replay, got what another one wrote: this one ends",
  ]);
  expect(keeper.isHeld).toBe(false);
  await keeper.release(at(3));
  expect(place.stored?.text).toBe(written(9, 8));
});

test('a write that fails is said once, and tried again while the checkpoint is held', async () => {
  const place = new MemoryPlace();
  const { keeper, warned, lost } = await open(place, { holdMs: 60_000 });
  place.onWrite = () => {
    throw new Error('503');
  };
  await keeper.save(at(3));
  await keeper.save(at(4));
  expect([warned, lost]).toEqual([["'it' must be writable, got Error: 503; it is tried again"], []]);
  place.onWrite = () => undefined;
  await keeper.save(at(5));
  expect(place.stored?.text).toContain('"fromMs":5');
});

test('one that could not be written for too long is held no more, before another one may take it', async () => {
  const place = new MemoryPlace();
  const { keeper, lost } = await open(place, { holdMs: -1 });
  expect(keeper.isHeld).toBe(false);
  expect(lost.map(({ message }) => message)).toEqual([expect.stringContaining("'it' must be written every")]);
});

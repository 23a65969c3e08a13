import type { LookupAddress } from 'node:dns';
import { NameLookup } from '../../../proxy/mirror/name-lookup';

const found: LookupAddress[] = [{ address: '192.0.2.1', family: 4 }];

test('one lookup at a time, whose result holds for a while; a failure holds for less', async () => {
  let nowMs = 0;
  const asked: { resolve(found: LookupAddress[]): void; reject(error: Error): void }[] = [];
  const ask = () => new Promise<LookupAddress[]>((resolve, reject) => asked.push({ resolve, reject }));
  const { lookup } = new NameLookup(() => nowMs, ask);
  const find = (all: boolean) =>
    new Promise<unknown[]>((resolve) => lookup('b', { all }, (...result) => resolve(result)));
  const waiting = [find(true), find(false)];
  expect(asked).toHaveLength(1);
  asked[0]!.resolve(found);
  expect(await Promise.all(waiting)).toEqual([
    [null, found],
    [null, '192.0.2.1', 4],
  ]);
  nowMs = 4_999;
  await find(true);
  expect(asked).toHaveLength(1);
  nowMs = 5_000;
  const failing = find(true);
  const error = new Error('ENOTFOUND');
  asked[1]!.reject(error);
  expect(await failing).toEqual([error, []]);
  expect(await find(true)).toEqual([error, []]);
  nowMs = 6_000;
  void find(true);
  expect(asked).toHaveLength(3);
});

import { digestMaps } from '../../app/digests';
import { Exports } from '../../app/exports';
import { Imports } from '../../app/imports';
import { FrozenError, guard } from '../../app/maps';

/** What was read last is at its end, as caches have it, by the writes of the map itself. */
class Cache extends Map<string, unknown> {
  override get(key: string): unknown {
    const value = super.get(key);
    if (!this.delete(key)) return undefined;
    this.set(key, value);
    return value;
  }
}

async function read(lines: AsyncGenerator<string>): Promise<string> {
  let all = '';
  for await (const chunk of lines) all += chunk;
  return all;
}

async function* bytesOf(text: string): AsyncGenerator<Buffer> {
  yield* [Buffer.from(text)];
}

// Looking at each entry put it behind those to come: a digest had no end, and a frozen cache could be neither exported nor imported into.
test('a cache that reorders what is read is exported, digested and imported into, frozen or not', async () => {
  const cache = new Cache(Array.from({ length: 10 }, (_, at) => [`${at}`, at]));
  const maps = { cache: guard('cache', cache, () => true) };
  const exports = new Exports(maps);
  const lines = await read(exports.begin());
  expect(lines.split('\n')).toHaveLength(11);
  expect(await digestMaps(maps)).toMatchObject({ keys: 10 });
  expect(await read(exports.since(exports.id!)!)).toBe('');
  const imports = new Imports(maps);
  await imports.apply('1', bytesOf(lines), 0, true);
  imports.discard();
  expect(cache.size).toBe(10);
  expect(() => cache.set('1', 2)).toThrow(FrozenError);
});

// A second break could go on at a line that only the first connection had sent: the entries before it were in no copy.
test('a copy that goes on twice has every entry, where entries have grown meanwhile', async () => {
  // Each is sent at once.
  const value = 'x'.repeat(70_000);
  const names = Array.from({ length: 12 }, (_, at) => String.fromCharCode(97 + at));
  const map = new Map<string, unknown>(names.map((name) => [name, value]));
  const exports = new Exports({ map });
  const first = await read(exports.begin());
  const size = first.length / names.length;
  // Two lines have arrived. The next one is as long as eight were, and arrives alone.
  map.set('c', value + 'x'.repeat(7 * size));
  const second = (await exports.resume(exports.id!, 2 * size)!.next()).value as string;
  expect(second.length).toBe(8 * size);
  const seen = first.slice(0, 2 * size) + second + (await read(exports.resume(exports.id!, 10 * size)!));
  const lines = seen.split('\n').filter((line) => line !== '');
  expect(lines.map((line) => (JSON.parse(line) as string[])[1])).toEqual(names);
});

// A fast socket took a whole export at once: nothing else of the application had its turn for a second.
test('an export of many entries leaves others their turn', async () => {
  const map = new Map<string, unknown>(Array.from({ length: 20_000 }, (_, at) => [`${at}`, at]));
  const exports = new Exports({ map });
  let turns = 0;
  let isDone = false;
  const take = () => {
    turns += 1;
    if (!isDone) setImmediate(take);
  };
  setImmediate(take);
  await read(exports.begin());
  const ofExport = turns;
  await read(exports.since(exports.id!)!);
  isDone = true;
  expect(ofExport).toBeGreaterThan(10);
  expect(turns - ofExport).toBeGreaterThan(10);
});

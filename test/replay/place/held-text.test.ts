import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openTextFile } from '../../../replay/place/file-text';
import { HeldText, TakenOver } from '../../../replay/place/held-text';
import type { TextPlace } from '../../../replay/place/text-place';
import { openS3Text } from '../../../replay/s3/s3-text';
import { LocalCloud, startLocalCloud } from '../../rehearsal/aws/world';
import { MemoryPlace } from './memory-place';

let folder: string;
let cloud: LocalCloud;
const before = { ...process.env };
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'held-text-'));
  cloud = await startLocalCloud();
  const credentials = { AWS_ACCESS_KEY_ID: 'OPERATOR', AWS_SECRET_ACCESS_KEY: 'none' };
  Object.assign(process.env, { AWS_ENDPOINT_URL: cloud.url, AWS_REGION: 'eu-central-1', ...credentials });
});
afterAll(async () => {
  process.env = { ...before };
  await cloud.stop();
  rmSync(folder, { recursive: true, force: true });
});

const open: Readonly<Record<string, () => Promise<TextPlace>>> = {
  'a file': () => Promise.resolve(openTextFile(join(folder, 'text.json'))),
  'an object of S3': () => openS3Text('store', 'replays/text.json'),
};

test.each(Object.keys(open))(
  '%s has one writer: the later one goes on, and the earlier one writes no more',
  async (kind) => {
    const [one, two] = [new HeldText(await open[kind]!(), 'one'), new HeldText(await open[kind]!(), 'two')];
    expect(await one.read()).toBeUndefined();
    await one.write('one 1');
    await one.write('one 2');
    expect(await two.read()).toBe('one 2');
    await two.write('two 1');
    await expect(one.write('one 3')).rejects.toThrow(TakenOver);
    await two.write('two 2');
    expect(await one.read()).toBe('two 2');
  },
);

test('a file that was removed is written anew, with nothing beside it', async () => {
  const path = join(folder, 'gone.json');
  const text = new HeldText(openTextFile(path), 'mine');
  await text.write('mine 1');
  rmSync(path);
  await text.write('mine 2');
  expect(await text.read()).toBe('mine 2');
  writeFileSync(path, 'of another');
  await expect(text.write('mine 3')).rejects.toThrow("gone.json' must be written by one replay");
  expect(readdirSync(folder).filter((name) => name.startsWith('gone'))).toEqual(['gone.json']);
});

test('a write whose response was lost is this writer’s own', async () => {
  const place = new MemoryPlace();
  const text = new HeldText(place, 'mine');
  place.losesResponse = true;
  await expect(text.write('mine 1')).rejects.toThrow('no response');
  await text.write('mine 2');
  expect(place.stored?.text).toBe('mine 2');
});

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';

const ROOT = resolve(__dirname, '../..');
const FOLDER = join(ROOT, 'dist/client');
const MAX_BYTES = 2048;

const read = (name: string) => readFileSync(join(FOLDER, name), 'utf8');

test.each(['index.mjs', 'index.cjs'])('%s has at most 2 kB, compressed, and needs nothing', (name) => {
  expect(gzipSync(read(name)).length).toBeLessThanOrEqual(MAX_BYTES);
  expect(read(name)).not.toMatch(/\b(import|require)\b|\bprocess\b|\bBuffer\b/);
});

test('what is internal has the names that its bundle gives it, and they are no properties of `WebSocket`', () => {
  const internal = new Set(read('index.mjs').match(/(?<=this\.)_\w+/g));
  expect([...internal].sort()).toEqual(['_e', '_i', '_l', '_n', '_o', '_r', '_t']);
});

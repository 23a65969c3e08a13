import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');

interface Figures {
  readonly folderCycles: readonly string[];
  readonly medianFilesPerFolder: number;
  readonly functionsOver60Lines: readonly string[];
  readonly forbiddenWords: readonly string[];
  readonly longParagraphs: readonly string[];
  readonly namesEndingInOf: readonly string[];
  readonly inventedNames: readonly string[];
}

test('the figures of the house are within their limits, and the words are those of the field', () => {
  const printed = execFileSync(process.execPath, [join(ROOT, 'scripts/house.mjs'), '--json'], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const figures = JSON.parse(printed) as Figures;
  expect(figures.folderCycles).toEqual([]);
  expect(figures.forbiddenWords).toEqual([]);
  expect(figures.inventedNames).toEqual([]);
  expect(figures.longParagraphs).toEqual([]);
  expect(figures.medianFilesPerFolder).toBeLessThanOrEqual(12);
  expect(figures.functionsOver60Lines.length).toBeLessThanOrEqual(1);
  expect(figures.namesEndingInOf.length).toBeLessThanOrEqual(10);
});

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const { version } = JSON.parse(readFileSync(resolve(ROOT, 'package.json'), 'utf8')) as { version: string };
const sections = readFileSync(resolve(ROOT, 'CHANGELOG.md'), 'utf8').split(/^## /m).slice(1);
const titles = sections.map((section) => section.split('\n')[0] ?? '');

const KINDS = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'];

test('what is not released is on top, by kind of change; below are the versions, each with its date', () => {
  expect(titles[0]).toBe('Unreleased');
  const kinds = [...sections[0]!.matchAll(/^### (.*)$/gm)].map(([, kind]) => kind);
  expect(kinds.filter((kind) => !KINDS.includes(kind!))).toEqual([]);
  expect(new Set(kinds).size).toBe(kinds.length);
  for (const title of titles.slice(1)) expect(title).toMatch(/^\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)$/);
  expect(titles[1]?.startsWith(`${version} `)).toBe(true);
});

test('a release prints the section of its version', () => {
  const run = (tag: string) =>
    execFileSync(process.execPath, ['scripts/release-notes.mjs', tag], { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' });
  expect(sections[1]).toContain(run(`v${version}`).trim());
  expect(() => run('v9.9.9')).toThrow(`the tag must be 'v${version}'`);
});

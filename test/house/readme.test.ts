import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ERRORS } from '../../core/errors/errors';

const ROOT = resolve(__dirname, '../..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file)),
];
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

test.each(pages)('%s: every script that it names exists', (page) => {
  const named = [...read(page).matchAll(/npm (test|run (?:--silent )?([a-z][\w:-]*))/g)].map(
    ([, all, name]) => name ?? all,
  );
  expect(named.filter((name) => !((name ?? '') in scripts))).toEqual([]);
});

test.each(pages)('%s: every path that it names exists', (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map(([, path]) =>
    join(page, '..', path ?? ''),
  );
  const code = [
    ...read(page).matchAll(/`((?:core|lib|lambda|proxy|rehearsal|bin|examples|docs|test)\/[\w./-]*)`/g),
  ].map(([, path]) => path ?? '');
  expect([...links, ...code].filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test('an image of the README has an absolute URL, because the registry shows no other, and its file is in the repository', () => {
  const base = 'https://raw.githubusercontent.com/drainshift/drainshift/main/';
  const images = [...read('README.md').matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map(([, url]) => url ?? '');
  expect(images.length).toBeGreaterThan(0);
  for (const url of images)
    expect([url, url.startsWith(base) && existsSync(join(ROOT, url.slice(base.length)))]).toEqual([url, true]);
});

/** As GitHub makes them: lowercase, without marks, spaces as dashes. */
function anchors(page: string): Set<string> {
  const headings = [
    ...read(page)
      .replace(/^```[^]*?^```$/gm, '')
      .matchAll(/^#+ (.*)$/gm),
  ];
  return new Set(
    headings.map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
}

test.each(pages)('%s: every heading that it links to exists', (page) => {
  const links = [...read(page).matchAll(/\]\(((?!https?:)[^)#]*)#([^)]+)\)/g)];
  const broken = links.filter(([, path, anchor = '']) => {
    const to = path === undefined || path === '' ? page : join(page, '..', path);
    return to.endsWith('.md') && !anchors(to).has(anchor);
  });
  expect(broken.map(([link]) => link)).toEqual([]);
});

test('the page of errors names every error of the catalogue, and no other', () => {
  const named = [...read('docs/errors.md').matchAll(/^\| `(\w+)`/gm)].map(([, code]) => code);
  expect(named.sort()).toEqual(Object.keys(ERRORS).sort());
});

test('the README names the two commands that do everything', () => {
  expect(read('README.md')).toContain('npm ci && npm run rehearse');
  expect(read('README.md')).toContain('npm ci && npm test');
});

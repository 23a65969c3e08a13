// `npm run house` prints the figures that say whether the house is in order; `--json` prints them for the tests.
// `npm run house -- --list` adds the places: each word, name and folder that counts.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { FORBIDDEN_IN_FILE_NAMES, FORBIDDEN_IN_PAGES, FORBIDDEN_WORDS, INVENTED_NAMES } from './words.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCES = [
  'capture',
  'core',
  'lib',
  'lambda',
  'proxy',
  'rehearsal',
  'check',
  'compare',
  'replay',
  'bin',
  'bench',
  'client',
];
const MAX_FUNCTION_LINES = 60;
const MAX_PARAGRAPH_WORDS = 60;
/** Members of JavaScript's own objects. */
const BUILT_IN = new Set(['indexOf', 'lastIndexOf', 'valueOf', 'isPrototypeOf']);

const read = (file) => readFileSync(join(ROOT, file), 'utf8');

function list(...patterns) {
  const names = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', ...patterns], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return names.split('\n').filter((name) => name !== '' && existsSync(join(ROOT, name)));
}

const parsed = new Map();
function parse(file) {
  if (!parsed.has(file)) parsed.set(file, ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true));
  return parsed.get(file);
}

function walk(node, visit) {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;

/** Folders that import each other: `a ↔ b`. */
function folderCycles(files) {
  const known = new Set(files);
  const pairs = new Map();
  for (const file of files) {
    for (const { fileName } of ts.preProcessFile(read(file)).importedFiles) {
      if (!fileName.startsWith('.')) continue;
      const path = normalize(join(dirname(file), fileName));
      const to = [`${path}.ts`, `${path}/index.ts`].find((each) => known.has(each));
      if (to === undefined || dirname(to) === dirname(file)) continue;
      pairs.set(`${dirname(file)} ${dirname(to)}`, `${file} imports ${to}`);
    }
  }
  const next = new Map();
  for (const pair of pairs.keys()) {
    const [from, to] = pair.split(' ');
    next.set(from, [...(next.get(from) ?? []), to]);
  }
  const reachable = (from) => {
    const seen = new Set();
    const queue = [from];
    while (queue.length > 0) {
      for (const to of next.get(queue.pop()) ?? []) {
        if (seen.has(to)) continue;
        seen.add(to);
        queue.push(to);
      }
    }
    return seen;
  };
  const reach = new Map([...next.keys()].map((from) => [from, reachable(from)]));
  const found = [];
  for (const [pair, why] of pairs) {
    const [from, to] = pair.split(' ');
    if (reach.get(to)?.has(from)) found.push(`${from} → ${to} (${why})`);
  }
  return found.sort();
}

function filesPerFolder(files) {
  const counts = new Map();
  for (const file of files) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
  return counts;
}

/** Lines of code of a function: neither blank nor comment alone. */
function codeLines(node, source) {
  const text = source.text.slice(node.getStart(source), node.getEnd());
  const bare = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  return bare.split('\n').filter((line) => line.trim() !== '').length;
}

function longFunctions(files) {
  const found = [];
  for (const file of files) {
    const source = parse(file);
    walk(source, (node) => {
      if (!ts.isFunctionLike(node) || node.body === undefined) return;
      const lines = codeLines(node, source);
      if (lines > MAX_FUNCTION_LINES) found.push(`${file}: ${node.name?.getText(source) ?? 'a function'} (${lines})`);
    });
  }
  return found;
}

/** Every name that a file gives to something. */
function declaredNames(files) {
  const names = new Map();
  for (const file of files) {
    walk(parse(file), (node) => {
      if (!ts.isIdentifier(node) || node.parent.name !== node) return;
      if (ts.isPropertyAccessExpression(node.parent)) return;
      if (!names.has(node.text)) names.set(node.text, new Set());
      names.get(node.text).add(file);
    });
  }
  return names;
}

const wordsOf = (name) => name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();

function inventedNames(files, tests) {
  const found = [];
  for (const [name, where] of declaredNames(files)) {
    const words = wordsOf(name.replace(/_/g, ' '));
    if (INVENTED_NAMES.some((pattern) => pattern.test(words))) found.push(`${name} (${[...where].sort()[0]})`);
  }
  for (const file of [...files, ...tests]) {
    const words = basename(file, '.ts').replace(/[-.]/g, ' ');
    if (INVENTED_NAMES.some((pattern) => pattern.test(words))) found.push(file);
  }
  return found.sort();
}

function namesEndingInOf(files) {
  const found = [...declaredNames(files)].filter(([name]) => /[a-z]Of$/.test(name) && !BUILT_IN.has(name));
  return found.map(([name, where]) => `${name} (${[...where].sort()[0]})`).sort();
}

/** What people read in a TypeScript file: comments, and strings with a space in them. */
function prose(file) {
  const source = parse(file);
  const found = [];
  const add = (position, text) => found.push({ line: source.getLineAndCharacterOfPosition(position).line, text });
  const seen = new Set();
  walk(source, (node) => {
    for (const { pos, end } of ts.getLeadingCommentRanges(source.text, node.getFullStart()) ?? []) {
      if (seen.has(pos)) continue;
      seen.add(pos);
      add(pos, source.text.slice(pos, end));
    }
    if (ts.isStringLiteralLike(node) && node.text.includes(' ')) add(node.getStart(source), node.text);
    if (ts.isTemplateHead(node) || ts.isTemplateMiddle(node) || ts.isTemplateTail(node)) {
      add(node.getStart(source), node.text);
    }
  });
  return found;
}

/** The first name of a call: `test` of `test.each([1])('a title', …)`. */
function firstName(node) {
  while (!ts.isIdentifier(node)) {
    const next = node.expression ?? node.tag ?? node.whenTrue;
    if (next === undefined) return '';
    node = next;
  }
  return node.text;
}

/** What the tests are called, which is what a failing one says. */
function titles(file) {
  const source = parse(file);
  const found = [];
  walk(source, (node) => {
    const [title] = ts.isCallExpression(node) ? node.arguments : [];
    if (title === undefined || !/^(describe|test|it|with[A-Z]\w*)$/.test(firstName(node.expression))) return;
    if (!ts.isStringLiteralLike(title) && !ts.isTemplateExpression(title)) return;
    // What stands in backticks is code, as in the pages.
    found.push({
      line: source.getLineAndCharacterOfPosition(title.getStart(source)).line,
      text: title
        .getText(source)
        .slice(1, -1)
        .replace(/\\?`[^`]*`/g, ''),
    });
  });
  return found;
}

/** What the rows of `test.each` tables say: the texts with a space in them. A table may stand in a constant of its file. */
function rows(file) {
  const source = parse(file);
  const tables = new Map();
  walk(source, (node) => {
    if (ts.isVariableDeclaration(node) && node.initializer) tables.set(node.name.getText(source), node.initializer);
  });
  const found = [];
  const add = (node) => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isStringLiteralLike(node) && node.text.includes(' ')) {
      found.push({
        line: source.getLineAndCharacterOfPosition(node.getStart(source)).line,
        text: node.text.replace(/`[^`]*`/g, ''),
      });
    }
    ts.forEachChild(node, add);
  };
  walk(source, (node) => {
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return;
    if (node.expression.name.text !== 'each') return;
    for (const table of node.arguments) add((ts.isIdentifier(table) && tables.get(table.text)) || table);
  });
  return found;
}

/** Paragraphs and items of lists that are longer than a tired reader takes in. Tables, quotes of code and headings are none. */
function longParagraphs(documents) {
  const found = [];
  for (const file of documents) {
    let [from, words] = [0, 0];
    const close = () => {
      if (words > MAX_PARAGRAPH_WORDS) found.push(`${file}:${from + 1}: ${words} words`);
      words = 0;
    };
    const text = read(file).replace(/```[\s\S]*?```/g, (block) => block.replace(/[^\n]/g, ''));
    for (const [at, line] of text.split('\n').entries()) {
      if (/^\s*(?:$|[|#<])/.test(line)) {
        close();
        continue;
      }
      if (/^\s*(?:[-*]|\d+\.) /.test(line)) close();
      if (words === 0) from = at;
      words += line.trim().split(/\s+/).length;
    }
    close();
  }
  return found;
}

/** Markdown without what is code in it. */
function paragraphs(file) {
  const text = read(file).replace(/```[\s\S]*?```/g, (block) => block.replace(/[^\n]/g, ''));
  return text.split('\n').map((line, at) => ({ line: at, text: line.replace(/`[^`]*`/g, '') }));
}

function forbiddenWords(documents, files, tests) {
  const found = [];
  const check = (file, { line, text }, words) => {
    for (const { pattern, instead } of words) {
      for (const [word] of text.matchAll(new RegExp(pattern, 'gi'))) {
        const at = line + 1 + (text.slice(0, text.indexOf(word)).match(/\n/g)?.length ?? 0);
        found.push(`${file}:${at}: '${word}' (write: ${instead})`);
      }
    }
  };
  const inPages = [...FORBIDDEN_WORDS, ...FORBIDDEN_IN_PAGES];
  for (const file of documents) for (const each of paragraphs(file)) check(file, each, inPages);
  for (const file of files) for (const each of prose(file)) check(file, each, FORBIDDEN_WORDS);
  for (const file of tests) for (const each of [...titles(file), ...rows(file)]) check(file, each, inPages);
  const inFileNames = [...inPages, ...FORBIDDEN_IN_FILE_NAMES];
  for (const file of tests) check(file, { line: 0, text: basename(file, '.ts').replace(/[-.]/g, ' ') }, inFileNames);
  return found;
}

export function measure() {
  const files = list(...SOURCES).filter((file) => file.endsWith('.ts'));
  const tests = list('test').filter((file) => file.endsWith('.ts'));
  const documents = list('*.md');
  const counts = filesPerFolder(files);
  return {
    folderCycles: folderCycles(files),
    medianFilesPerFolder: median([...counts.values()]),
    largestFolders: [...counts].filter(([, count]) => count > 14).map(([folder, count]) => `${folder}: ${count}`),
    functionsOver60Lines: longFunctions(files),
    forbiddenWords: forbiddenWords(documents, files, tests),
    longParagraphs: longParagraphs(documents.filter((file) => file !== 'API.md' && file !== 'CHANGELOG.md')),
    namesEndingInOf: namesEndingInOf(files),
    inventedNames: inventedNames(
      files,
      tests.filter((file) => /\.(test|check)\.ts$/.test(file)),
    ),
  };
}

function print(figures) {
  const { medianFilesPerFolder, ...lists } = figures;
  const rows = [['files per folder (median)', medianFilesPerFolder, '≤ 12']];
  const limits = { functionsOver60Lines: '≤ 1', namesEndingInOf: '≤ 10', largestFolders: 'look' };
  for (const [name, found] of Object.entries(lists)) {
    rows.push([name.replace(/([A-Z0-9]+)/g, ' $1').toLowerCase(), found.length, limits[name] ?? '0']);
  }
  for (const [name, figure, limit] of rows) {
    process.stdout.write(`${name.padEnd(28)} ${String(figure).padStart(5)}   (${limit})\n`);
  }
  if (!process.argv.includes('--list')) return;
  for (const [name, found] of Object.entries(lists)) {
    process.stdout.write(`\n${name}\n${found.map((each) => `  ${each}\n`).join('')}`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const figures = measure();
  if (process.argv.includes('--json')) process.stdout.write(JSON.stringify(figures));
  else print(figures);
}

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';

const CLIENT = resolve(__dirname, '../../client');
const INDEX = join(CLIENT, 'index.ts');
const FILES = readdirSync(CLIENT).filter((file) => file.endsWith('.ts'));

/** What the package exports, by name, with the docstring before it. */
function findExports(): Map<string, string> {
  const names = [
    ...readFileSync(INDEX, 'utf8')
      .replace(/from '.*'/g, '')
      .matchAll(/\b[A-Z]\w+/g),
  ].map(([name]) => name);
  const found = FILES.flatMap((file) => {
    const text = readFileSync(join(CLIENT, file), 'utf8');
    const declared = /\/\*\*((?:(?!\*\/)[^])*)\*\/\n(?:\/\/.*\n)*export (?:abstract class|class|interface|type) (\w+)/g;
    return [...text.matchAll(declared)].map(([, doc = '', name = '']) => [name, doc] as const);
  });
  return new Map(found.filter(([name]) => names.includes(name)));
}

/** One function for each example: its names are its own. */
function findExamples(docs: Iterable<string>): string[] {
  return [...docs].flatMap((doc) => {
    const [, code] = /@example\n([^]*?)$/.exec(doc) ?? [];
    return code === undefined ? [] : [code.replace(/^ *\* ?/gm, '')];
  });
}

test('everything that is exported has a docstring with an example', () => {
  const exported = findExports();
  const names = [...readFileSync(INDEX, 'utf8').matchAll(/^ {2}(?:type )?(\w+),$|type \{ (.*) \}/gm)].flatMap(
    ([, name, list]) => name ?? list!.split(', '),
  );
  expect(names.length).toBeGreaterThanOrEqual(9);
  expect(names.filter((name) => !exported.get(name)?.includes('@example'))).toEqual([]);
});

test('every example compiles for browsers', () => {
  const examples = findExamples(findExports().values());
  expect(examples.length).toBeGreaterThanOrEqual(9);
  const names = `import type * as all from './index'; import { ReconnectingEventSource, ReconnectingWebSocket } from './index';`;
  const types = [...findExports().keys()]
    .filter((name) => !/^Reconnecting(EventSource|WebSocket)$|^Typed/.test(name))
    .map((name) => `type ${name} = all.${name};`);
  const text = [names, ...types, ...examples.map((code, at) => `export function example${at}() {\n${code}\n}`)].join(
    '\n',
  );
  const path = join(CLIENT, 'examples.ts');
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'],
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, getSourceFile } = host;
  host.fileExists = (name) => name === path || fileExists(name);
  host.getSourceFile = (name, language) =>
    name === path ? ts.createSourceFile(name, text, language) : getSourceFile(name, language);
  const program = ts.createProgram([path], options, host);
  const found = [...program.getSyntacticDiagnostics(), ...program.getSemanticDiagnostics()];
  expect(
    found.map(({ messageText, file, start }) => {
      const at = file && start !== undefined ? file.text.slice(start, start + 60) : '';
      return `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}: ${at}`;
    }),
  ).toEqual([]);
});

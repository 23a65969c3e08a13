import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(__dirname, '../..');
const APP = join(ROOT, 'app');

/** What the package exports, by name, with the docstring before it. */
function findExports(): ReadonlyMap<string, string> {
  const index = readFileSync(join(APP, 'index.ts'), 'utf8').replace(/^\/\*\*.*\*\/$/gm, '');
  const names = [...index.matchAll(/\b[A-Z]\w+/g)].map(([name]) => name);
  const texts = readdirSync(APP).map((file) => readFileSync(join(APP, file), 'utf8'));
  const declared = texts.flatMap((text) => [
    ...text.matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/\nexport (?:class|interface) (\w+)/g),
  ]);
  const docs = new Map(declared.map(([, doc = '', name = '']) => [name, doc]));
  return new Map(names.map((name) => [name, docs.get(name) ?? '']));
}

test('everything that is exported has a docstring with an example, and each compiles', () => {
  const docs = [...findExports()];
  expect(docs.length).toBeGreaterThanOrEqual(4);
  expect(docs.flatMap(([name, doc]) => (doc.includes('@example\n') ? [] : name))).toEqual([]);
  const functions = docs.map(([name, doc]) => {
    const code = /@example\n([^]*)$/.exec(doc)![1]!.replace(/^ *\* ?/gm, '');
    return `export function of${name}(): void {\n${code}\n}`;
  });
  const imports = `import http from 'node:http';\nimport { ${docs.map(([name]) => name).join(', ')} } from './index';`;
  const file = join(APP, 'examples.ts');
  const text = [imports, ...functions].join('\n');
  const options: ts.CompilerOptions = {
    ...{ strict: true, noEmit: true, skipLibCheck: true, esModuleInterop: true, types: ['node'] },
    ...{
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.CommonJS,
      moduleResolution: ts.ModuleResolutionKind.Node10,
    },
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, version) =>
    name === file ? ts.createSourceFile(name, text, version) : getSourceFile(name, version);
  const program = ts.createProgram([file], options, host);
  const said = ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
  expect(said).toEqual([]);
});

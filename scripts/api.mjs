// `npm run api` writes API.md, the reference of every construct, and lib/validation/prop-names.ts, what their props are called; with `--check` it
// says instead whether both are current.
// Both compile lib/ with jsii first, as it would be published for Python, Java, .NET and Go: what those languages cannot
// express is an error here. It happens in a copy, because jsii compiles a package's root and writes beside its sources.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const API = join(ROOT, 'API.md');
const PROP_NAMES = join(ROOT, 'lib/validation/prop-names.ts');
/** What lib/ imports. No more: jsii-docgen reads every module that it finds. */
const LINKED = ['aws-cdk-lib', 'constructs', '@types'];

function main() {
  const folder = mkdtempSync(join(tmpdir(), 'drainshift-jsii-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  copyTo(folder);
  run(folder, 'jsii/bin/jsii', ['--silence-warnings=reserved-word', '--generate-tsconfig', 'tsconfig.jsii.json']);
  run(folder, 'jsii-docgen/bin/jsii-docgen', ['--output', 'API.md']);
  return Math.max(
    publish(API, readFileSync(join(folder, 'API.md'), 'utf8'), 'what jsii-docgen makes of lib/'),
    publish(PROP_NAMES, propNames(folder), 'the props of lib/'),
  );
}

function copyTo(folder) {
  for (const room of ['lib', 'core', 'LICENSE']) cpSync(join(ROOT, room), join(folder, room), { recursive: true });
  mkdirSync(join(folder, 'node_modules'));
  for (const each of LINKED) symlinkSync(join(ROOT, 'node_modules', each), join(folder, 'node_modules', each));
  writeFileSync(join(folder, 'README.md'), '# drainshift\n');
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest(), undefined, 2));
}

/** The part of package.json that jsii knows: it takes every dependency for one of its own modules. */
function manifest() {
  const { name, version, description, license, author, repository, stability, jsii, peerDependencies } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  );
  return {
    ...{ name, version, description, license, author, repository, stability, peerDependencies },
    ...{ main: 'lib/index.js', types: 'lib/index.d.ts' },
    devDependencies: Object.fromEntries(
      Object.entries(peerDependencies).map(([peer, range]) => [peer, range.replace('^', '')]),
    ),
    jsii: { ...jsii, tsc: { types: ['node'] } },
  };
}

function run(folder, command, args) {
  const script = join(ROOT, 'node_modules', command);
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { cwd: folder, encoding: 'utf8' });
  if (status === 0) return;
  process.stderr.write(`${stdout}${stderr}`.replaceAll(`${folder}/`, ''));
  process.stderr.write(`'lib/' must compile with jsii, got exit code ${status} of ${command}\n`);
  process.exit(1);
}

/** Every struct of the public API with its props, and what they are made of, for `lib/validation/known-props.ts`. */
function propNames(folder) {
  const { types } = JSON.parse(readFileSync(join(folder, '.jsii'), 'utf8'));
  const isStruct = (type) => type?.kind === 'interface' && type.datatype === true;
  const all = (type) => [
    ...(type.properties ?? []),
    ...(type.interfaces ?? []).flatMap((base) => all(types[base] ?? {})),
  ];
  const partOf = ({ fqn, collection }) => {
    if (collection)
      return collection.kind === 'array' && partOf(collection.elementtype) ? `${partOf(collection.elementtype)}[]` : '';
    return isStruct(types[fqn]) ? types[fqn].name : '';
  };
  const byName = ([one], [other]) => (one < other ? -1 : 1);
  const structs = Object.values(types)
    .filter(isStruct)
    .map((type) => [
      type.name,
      Object.fromEntries(
        all(type)
          .map(({ name, type }) => [name, partOf(type)])
          .sort(byName),
      ),
    ])
    .sort(byName);
  return `${HEAD}\nexport const STRUCTS = ${literal(Object.fromEntries(structs))} as const;\n`;
}

const HEAD = `// Written by \`npm run api\`: the props of every struct of the public API, with the struct that they are or list.`;

function literal(structs) {
  const entries = (object, write) =>
    Object.entries(object)
      .map(([name, value]) => write(name, value))
      .join('');
  const struct = (props) => `{\n${entries(props, (name, part) => `    ${name}: '${part}',\n`)}  }`;
  return `{\n${entries(structs, (name, props) => `  ${name}: ${struct(props)},\n`)}}`;
}

function publish(file, text, what) {
  if (!process.argv.includes('--check')) {
    writeFileSync(file, text);
    return 0;
  }
  const name = file.slice(ROOT.length + 1);
  if (existsSync(file) && text === readFileSync(file, 'utf8')) return 0;
  process.stderr.write(`'${name}' must be ${what}, got an older one: run 'npm run api'\n`);
  return 1;
}

process.exitCode = main();

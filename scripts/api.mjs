// `npm run api` writes API.md, the reference of every construct, and lib/validation/prop-names.ts, what their props are called
// and of what kind they are; with `--check` it
// says instead whether both are current.
// Both compile lib/ with jsii first, as it would be published for Python, Java, .NET and Go: what those languages cannot
// express is an error here. It happens in a copy, because jsii compiles a package's root and writes beside its sources.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const API = join(ROOT, 'API.md');
const PROP_NAMES = join(ROOT, 'lib/validation/prop-names.ts');
/** What lib/ imports. No more: jsii-docgen reads every module that it finds. */
const LINKED = ['@bufbuild', 'aws-cdk-lib', 'constructs', '@types'];

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

/**
 * Every struct of the public API with the kind of each of its props, and what tells values of these kinds apart, for
 * `lib/validation/known-props.ts`.
 */
function propNames(folder) {
  const own = JSON.parse(readFileSync(join(folder, '.jsii'), 'utf8')).types;
  const types = { ...readAssembly('aws-cdk-lib'), ...own };
  const structs = Object.values(own).filter(isStruct);
  const used = new Map();
  const props = (type) =>
    inherited(types, type).map(({ name, type, optional }) => [
      name,
      `${kindOf(type, types, used)}${optional ? '?' : ''}`,
    ]);
  const tables = structs.map((type) => [type.name, Object.fromEntries(props(type).sort(byName))]);
  const kinds = [...used.values()].filter(({ name }) => !structs.some((struct) => struct.name === name));
  const enums = kinds.filter(({ kind }) => kind === 'enum');
  const others = kinds.filter(({ kind }) => kind !== 'enum').map((type) => [type.name, markOf(type, types)]);
  return [
    `${HEAD}\n${enumImports(enums)}`,
    `/** By the props of each struct; \`[]\`: a list, \`{}\`: a map, \`?\`: optional, nothing: anything. */`,
    `export const STRUCTS = ${literal(tables.sort(byName))} as const;\n`,
    `/** The values of each enum; those of the CDK as the installed one has them. */`,
    `export const ENUMS: Readonly<Record<string, object>> = {\n${enums.map(enumLine).join('')}};\n`,
    `/** A member that each value of a type has; \`{}\`: any object, nothing: of a class that shows none. */`,
    `export const TYPES: Readonly<Record<string, string>> = {\n${others
      .sort(byName)
      .map(([name, mark]) => `  ${name}: '${mark}',\n`)
      .join('')}};\n`,
  ].join('\n');
}

const isStruct = (type) => type?.kind === 'interface' && type.datatype === true;
const byName = ([one], [other]) => (one < other ? -1 : 1);

function readAssembly(name) {
  return JSON.parse(gunzipSync(readFileSync(join(ROOT, `node_modules/${name}/.jsii.gz`))).toString()).types;
}

function inherited(types, type) {
  return [
    ...(type.properties ?? []),
    ...(type.interfaces ?? []).flatMap((base) => inherited(types, types[base] ?? {})),
  ];
}

function kindOf({ primitive, collection, fqn }, types, used) {
  if (collection) {
    const kind = kindOf(collection.elementtype, types, used);
    return kind && `${kind}${collection.kind === 'array' ? '[]' : '{}'}`;
  }
  if (['boolean', 'number', 'string'].includes(primitive)) return primitive;
  const type = types[fqn];
  if (!type) return '';
  if ((used.get(type.name) ?? type) !== type)
    throw new Error(`'${type.name}' must be the name of one type, got ${fqn}`);
  used.set(type.name, type);
  return type.name;
}

/** What the interfaces have that a class implements is no sign of the class. */
function markOf(type, types) {
  if (isStruct(type)) return '{}';
  const members = [...(type.properties ?? []), ...(type.methods ?? [])].filter(
    (member) => !member.optional && !member.static && !member.protected && !member.overrides,
  );
  if (members.length > 0) return members[0].name;
  const bases = (type.interfaces ?? []).map((base) => types[base]).filter((base) => base !== undefined);
  return bases.map((base) => markOf(base, types)).find((mark) => mark !== '') ?? '';
}

function enumImports(enums) {
  const modules = Map.groupBy(
    enums.filter(({ assembly }) => assembly === 'aws-cdk-lib'),
    ({ namespace }) => `aws-cdk-lib${namespace ? `/${namespace.replaceAll('_', '-')}` : ''}`,
  );
  return [...modules]
    .sort(byName)
    .map(([module, members]) => importLine(members.map(({ name }) => name).sort(), module))
    .join('');
}

/** As Prettier writes it. */
function importLine(names, module) {
  const line = `import { ${names.join(', ')} } from '${module}';\n`;
  return line.length <= 121 ? line : `import {\n${names.map((name) => `  ${name},\n`).join('')}} from '${module}';\n`;
}

/** The assembly has no values of members: ours are read in the source, so that what is below need not import what is above. */
function enumLine({ name, assembly, locationInModule }) {
  if (assembly === 'aws-cdk-lib') return `  ${name},\n`;
  const source = readFileSync(join(ROOT, locationInModule.filename), 'utf8');
  const [, body] = new RegExp(`enum ${name} \\{([^]*?)\\n\\}`).exec(source);
  const members = [...body.matchAll(/^ {2}(\w+) = ('[^']*'|\d+),/gm)].map(
    ([, member, value]) => `    ${member}: ${value},\n`,
  );
  return `  ${name}: {\n${members.join('')}  },\n`;
}

const HEAD = `// Written by \`npm run api\`: what the props of every struct of the public API are called, and of what kind each is.`;

function literal(structs) {
  const struct = (props) =>
    `{\n${Object.entries(props)
      .map(([name, kind]) => `    ${name}: '${kind}',\n`)
      .join('')}  }`;
  return `{\n${structs.map(([name, props]) => `  ${name}: ${struct(props)},\n`).join('')}}`;
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

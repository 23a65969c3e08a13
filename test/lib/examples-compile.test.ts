import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(__dirname, '../..');
const LIB = join(ROOT, 'lib');

interface Example {
  readonly name: string;
  readonly code: string;
}

/** What a reader has around an example: a construct's constructor, with the usual things at hand. */
function program(code: string, names: readonly string[]): string {
  return `
    import { Duration, aws_ec2 as ec2, aws_ecs as ecs, aws_iam as iam } from 'aws-cdk-lib';
    import { ICertificate } from 'aws-cdk-lib/aws-certificatemanager';
    import { Construct } from 'constructs';
    import { ${names.join(', ')} } from './index';

    declare const vpc: ec2.IVpc;
    declare const certificate: ICertificate;
    declare const cluster: ecs.ICluster;
    declare const operators: iam.IRole;
    declare const loadBalancer: MigrationLoadBalancer;
    declare const sourceGroup: StickyTargetGroup;
    declare const sourceProxies: ProxyService;
    declare const targetProxies: ProxyService;
    ${code.includes('const adminSecret') ? '' : 'declare const adminSecret: AdminSecret;'}
    export class Example extends Construct {
      constructor(scope: Construct, id: string) {
        super(scope, id);
        ${code}
      }
    }`;
}

function examplesIn(file: string): Example[] {
  const text = readFileSync(join(LIB, file), 'utf8');
  const blocks = [...text.matchAll(/\/\*\*(?:(?!\*\/)[^])*?@example\n([^]*?)\n \*\//g)];
  return blocks.map(([, block = ''], index) => ({
    name: `${file}#${index + 1}`,
    code: block.replace(/^ \* ?/gm, ''),
  }));
}

function constructNames(): string[] {
  const index = readFileSync(join(LIB, 'index.ts'), 'utf8');
  return [...index.matchAll(/\b[A-Z]\w+/g)].map(([name]) => name);
}

/** One program for all examples: what costs time is to read the CDK's own types. */
function diagnose(examples: readonly Example[]): Map<string, string[]> {
  const config = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, ROOT);
  const checked = { ...options, noEmit: true, incremental: false, tsBuildInfoFile: undefined, noUnusedLocals: false };
  const host = ts.createCompilerHost(checked);
  const names = constructNames();
  const files = new Map(
    examples.map(({ name, code }, at) => [join(LIB, `example-${at}.ts`), { name, text: program(code, names) }]),
  );
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.readFile = (path) => files.get(path)?.text ?? readFile(path);
  host.getSourceFile = (path, language) => {
    const example = files.get(path);
    return example ? ts.createSourceFile(path, example.text, language) : getSourceFile(path, language);
  };
  const built = ts.createProgram([...files.keys()], checked, host);
  return new Map(
    [...files].map(([path, { name }]) => {
      const source = built.getSourceFile(path);
      const found = [...built.getSyntacticDiagnostics(source), ...built.getSemanticDiagnostics(source)];
      return [name, found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))];
    }),
  );
}

const examples = readdirSync(LIB).flatMap(examplesIn);

test('every construct has an example', () => {
  const files = readdirSync(LIB).filter((file) =>
    /export class \w+ extends Construct/.test(readFileSync(join(LIB, file), 'utf8')),
  );
  expect(examples.map(({ name }) => name)).toEqual(expect.arrayContaining(files.map((file) => `${file}#1`)));
});

test('every example compiles', () => {
  const wrong = [...diagnose(examples)].filter(([, problems]) => problems.length > 0);
  expect(wrong).toEqual([]);
}, 60_000);

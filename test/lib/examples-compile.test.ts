import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(__dirname, '../..');
const LIB = join(ROOT, 'lib');
const SOURCES = readdirSync(LIB, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

interface Example {
  readonly name: string;
  readonly code: string;
}

/** What a reader has at hand, by the names that the examples use for it. */
const AT_HAND: Record<string, string> = {
  vpc: 'ec2.IVpc',
  certificate: 'ICertificate',
  cluster: 'ecs.ICluster',
  operators: 'iam.IRole',
  topic: 'sns.ITopic',
  bucket: 's3.IBucket',
  listener: 'elbv2.IApplicationListener',
  adminSecret: 'AdminSecret',
  loadBalancer: 'MigrationLoadBalancer',
  sourceGroup: 'StickyTargetGroup',
  targetGroup: 'StickyTargetGroup',
  sourceProxies: 'ProxyService',
  targetProxies: 'ProxyService',
  sessions: 'SessionStore',
  cutover: 'Cutover',
  oldServer: 'ec2.Instance',
  newServer: 'ec2.Instance',
  images: 's3.IBucket',
};

/** An example is the inside of a construct's constructor, with the usual things around it. */
function program(code: string, names: readonly string[]): string {
  const declared = Object.entries(AT_HAND).filter(([name]) => !code.includes(`const ${name} `));
  return `
    import {
      Duration, RemovalPolicy, Size, TimeZone,
      aws_ec2 as ec2, aws_ecr as ecr, aws_ecs as ecs, aws_elasticloadbalancingv2 as elbv2, aws_iam as iam,
      aws_logs as logs, aws_route53 as route53, aws_s3 as s3, aws_sns as sns,
    } from 'aws-cdk-lib';
    import { ICertificate } from 'aws-cdk-lib/aws-certificatemanager';
    import { Construct } from 'constructs';
    import { ${names.join(', ')} } from './index';

    ${declared.map(([name, type]) => `declare const ${name}: ${type};`).join('\n    ')}
    export class Example extends Construct {
      constructor(scope: Construct, id: string) {
        super(scope, id);
        ${code}
      }
    }`;
}

function examplesIn(file: string): Example[] {
  const text = readFileSync(join(LIB, file), 'utf8');
  const blocks = [...text.matchAll(/\/\*\*(?:(?!\*\/)[^])*?@example\n([^]*?)\n *\*\//g)];
  return blocks.map(([, block = ''], index) => ({
    name: `${file}#${index + 1}`,
    code: block.replace(/^ *\* ?/gm, ''),
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

const examples = SOURCES.flatMap(examplesIn);

test('every public construct has an example', () => {
  const names = constructNames();
  const files = SOURCES.filter((file) => {
    const [, name = ''] =
      /export class (\w+) extends (?:Construct|Resource|\w+Base)/.exec(readFileSync(join(LIB, file), 'utf8')) ?? [];
    return names.includes(name);
  });
  expect(files).not.toEqual([]);
  expect(examples.map(({ name }) => name)).toEqual(expect.arrayContaining(files.map((file) => `${file}#1`)));
});

test('every example compiles', () => {
  const wrong = [...diagnose(examples)].filter(([, problems]) => problems.length > 0);
  expect(wrong).toEqual([]);
});

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { STEPS } from '../../core/cutover/cutover-config';
import type { RehearsalEvidence } from '../../rehearsal/report/evidence';
import { FREE_PORTS, run } from '../rehearsal/command';
import { install, pack, remove, ROOT, synthesize, Tarball } from './support/installed';

let tarball: Tarball;
let folder: string;
let assembly: string;

beforeAll(() => {
  tarball = pack();
  folder = install(tarball, join(ROOT, 'examples/import-constructs'));
  ({ assembly } = synthesize(folder));
});

afterAll(() => remove(folder, dirname(tarball.path)));

interface Template {
  readonly Resources: Record<string, { readonly Type: string; readonly Properties: Record<string, unknown> }>;
}

function template(): Template {
  return JSON.parse(readFileSync(join(assembly, 'TicketShop.template.json'), 'utf8')) as Template;
}

function count(type: string): number {
  return Object.values(template().Resources).filter(({ Type }) => Type === type).length;
}

test('the app imports the package by its name alone', () => {
  const imported = readFileSync(join(folder, 'app.js'), 'utf8').matchAll(/require\('([^']+)'\)/g);
  expect([...imported].map(([, name]) => name)).toEqual(['aws-cdk-lib', 'drainshift']);
});

test('the types of the package are where its package.json says', () => {
  const { exports } = JSON.parse(readFileSync(join(folder, 'node_modules/drainshift/package.json'), 'utf8')) as {
    exports: { '.': { types: string; default: string } };
  };
  for (const path of [exports['.'].types, exports['.'].default]) {
    expect(existsSync(join(folder, 'node_modules/drainshift', path))).toBe(true);
  }
});

test('the assembly has every part of a migration', () => {
  expect(count('AWS::ElasticLoadBalancingV2::Listener')).toBe(3);
  expect(count('Custom::DrainshiftWeightedRule')).toBe(1);
  expect(count('AWS::ECS::Service')).toBe(2);
  expect(count('AWS::StepFunctions::StateMachine')).toBe(1);
});

test("the assembly has the user's own domain, backends and stages", () => {
  const text = JSON.stringify(template()).replaceAll('\\', '');
  for (const own of ['tickets.example.org', 'http://monolith.tickets.internal:8080', '{"source":40,"target":60}']) {
    expect(text).toContain(own);
  }
});

test('the assembly brings the bundled steps and the image with it', () => {
  const assets = JSON.parse(readFileSync(join(assembly, 'TicketShop.assets.json'), 'utf8')) as {
    files: Record<string, { source: { path: string } }>;
    dockerImages: Record<string, { source: { directory: string } }>;
  };
  const functions = Object.values(template().Resources).filter(({ Type, Properties }) => {
    return Type === 'AWS::Lambda::Function' && String(Properties.Description).startsWith('Cutover: ');
  });
  expect(functions).toHaveLength(STEPS.length);
  for (const { Properties } of functions) {
    const key = (Properties.Code as { S3Key: string }).S3Key.replace('.zip', '');
    expect(existsSync(join(assembly, assets.files[key]?.source.path ?? 'none', 'index.js'))).toBe(true);
  }
  const [image] = Object.values(assets.dockerImages);
  for (const file of ['Dockerfile', 'proxy.js']) {
    expect(existsSync(join(assembly, image?.source.directory ?? 'none', file))).toBe(true);
  }
});

test('the assembly can be rehearsed: its own stages, its own domain, nothing lost', async () => {
  const json = join(folder, 'evidence.json');
  const { code, output } = await run([
    ...['rehearse', '--app', assembly, '--speed', '300', '--traffic', '0.25', '--json', json],
    ...FREE_PORTS,
  ]);
  expect(output).toContain("stack 'TicketShop'");
  expect(code).toBe(0);
  const { stages, finalWeights } = JSON.parse(readFileSync(json, 'utf8')) as RehearsalEvidence;
  expect(stages.map(({ weights }) => weights)).toEqual([
    { source: 80, target: 20 },
    { source: 40, target: 60 },
    { source: 0, target: 100 },
  ]);
  expect(finalWeights).toEqual({ source: 0, target: 100 });
});

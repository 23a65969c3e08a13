import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { install, link, pack, remove, ROOT, Tarball } from './support/installed';

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

let tarball: Tarball;
let folder: string;

beforeAll(() => {
  tarball = pack();
  folder = install(tarball, join(ROOT, 'examples/minimal'));
});

afterAll(() => remove(folder, dirname(tarball.path)));

const paths = () => tarball.files.map(({ path }) => path);

test('holds what a user needs, and nothing else', () => {
  const rooms = paths().map((path) => (path.startsWith('dist/') ? path.split('/').slice(0, 2) : [path.split('/')[0]]));
  expect([...new Set(rooms.map((parts) => parts.join('/')))].sort()).toEqual([
    'API.md',
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'dist/app',
    'dist/assets',
    'dist/bin',
    'dist/capture',
    'dist/check',
    'dist/client',
    'dist/compare',
    'dist/core',
    'dist/lib',
    'dist/proxy',
    'dist/rehearsal',
    'dist/replay',
    'docs',
    'examples',
    'package.json',
    'proxy',
    'schemas',
  ]);
  const known =
    /\.(js|d\.ts)$|^examples\/[\w-]+\/(README\.md|\w+\.(json|yaml)|[\w-]+\.(mjs|ts|svg)|page\/\w+\.(html|css))$|^docs\/.*\.(md|svg)$|^dist\/client\/(index\.[cm]js|[\w-]+\.d\.mts)$|^dist\/assets\/(proxy\/(Dockerfile|package\.json)|host\/(checkpoint\.sh|start\.pl))$|^schemas\/(plan|proxy|scenario)\.json$|^proxy\/systemd\/[\w-]+\.(service|socket)$/;
  expect(paths().filter((path) => path.includes('/') && !known.test(path))).toEqual([]);
});

test('holds the bundles of the functions and of the command, and the context of the image', () => {
  expect(
    paths()
      .filter((path) => path.startsWith('dist/assets/'))
      .sort(),
  ).toEqual([
    'dist/assets/cli/operator.js',
    'dist/assets/cli/replay.js',
    'dist/assets/host/checkpoint.sh',
    'dist/assets/host/start.pl',
    'dist/assets/lambda/index.js',
    'dist/assets/proxy/Dockerfile',
    'dist/assets/proxy/package.json',
    'dist/assets/proxy/proxy.js',
    'dist/assets/proxy/replay.js',
  ]);
});

test('is less than 4.5 megabytes to download', () => {
  const kilobytes = Math.round(tarball.size / 1000);
  expect(kilobytes).toBeGreaterThan(1200);
  expect(kilobytes).toBeLessThan(4500);
});

test('every construct can be imported', () => {
  const script = `console.log(JSON.stringify(Object.keys(require('drainshift'))))`;
  const names = JSON.parse(
    execFileSync(process.execPath, ['-e', script], { cwd: folder, encoding: 'utf8' }),
  ) as string[];
  const index = readFileSync(join(ROOT, 'lib/index.ts'), 'utf8');
  expect(names).not.toEqual([]);
  for (const name of names) expect(index).toContain(name);
  for (const name of ['Migration', 'Cutover', 'MigrationLoadBalancer', 'ProxyService', 'StickyTargetGroup']) {
    expect(names).toContain(name);
  }
});

const CLIENT = ['ReconnectingEventSource', 'ReconnectingWebSocket'];

test('the client is imported and required by its name', () => {
  const print = 'console.log(Object.keys(client).sort().join())';
  for (const [name, script] of [
    ['client.mjs', `import * as client from 'drainshift/client'; ${print}`],
    ['client.cjs', `const client = require('drainshift/client'); ${print}`],
  ] as const) {
    writeFileSync(join(folder, name), script);
    expect(execFileSync(process.execPath, [name], { cwd: folder, encoding: 'utf8' })).toBe(`${CLIENT.join()}\n`);
  }
});

test('what an application adds is imported and required by its name', () => {
  const print = 'console.log(new TransferableState({ path: "/s", maps: { a: new Map() } }).isFrozen, FrozenError.name)';
  for (const [name, script] of [
    ['application.mjs', `import { FrozenError, TransferableState } from 'drainshift/app'; ${print}`],
    ['application.cjs', `const { FrozenError, TransferableState } = require('drainshift/app'); ${print}`],
  ] as const) {
    writeFileSync(join(folder, name), script);
    expect(execFileSync(process.execPath, [name], { cwd: folder, encoding: 'utf8' })).toBe('false FrozenError\n');
  }
});

/** The lines that `tsc` says of these files, each with the file that it is about. */
function compile(sources: Readonly<Record<string, string>>, more = ['--types', 'node']): string[] {
  link(folder, 'typescript');
  link(folder, '@types/node');
  for (const [name, source] of Object.entries(sources)) writeFileSync(join(folder, name), source);
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022', ...more];
  const args = ['node_modules/typescript/bin/tsc', ...options, ...Object.keys(sources)];
  const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  remove(...['typescript', '@types'].map((name) => join(folder, 'node_modules', name)));
  // Those that are indented explain the one before.
  return stdout.split('\n').filter((line) => /^\S/.test(line));
}

/** Mistakes that only the types of the package can find. */
test('its types are found, and find mistakes', () => {
  const app = (extra: string) => `
    import { App, Stack } from 'aws-cdk-lib';
    import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
    import { CutoverPlan, Migration } from 'drainshift';
    const stack = new Stack(new App(), 'Shop');
    const migration = new Migration(stack, 'Migration', {
      domainName: 'shop.example.com',
      certificate: Certificate.fromCertificateArn(stack, 'Certificate', 'arn'),
      source: { upstreamUrl: 'http://old.internal' },
      target: { upstreamUrl: 'http://new.internal' },
      plan: CutoverPlan.gradual(),
      ${extra}
    });
    migration.cutover.stateMachine.stateMachineArn;`;
  const said = compile({
    'app.ts': app(''),
    'mistaken.ts': app(`colour: 'green'`) + `new Migration(stack, 'Other', { internetFacing: 'yes' });`,
  });
  const isOf = (line: string) => line.startsWith('mistaken.ts(');
  const mistakes = said.filter(isOf).join('\n');
  expect(mistakes).toMatch(/TS2353.*'colour'/);
  expect(mistakes).toMatch(/TS2322.*'string'.*'boolean/);
  // Of the app itself and of the package nothing.
  expect(said.filter((line) => !isOf(line))).toEqual([]);
});

/** Where a `WebSocket` is expected, and what only its own types find. */
const USES_THE_CLIENT = `
  import { ReconnectingEventSource, ReconnectingWebSocket } from 'drainshift/client';
  const socket: WebSocket = new ReconnectingWebSocket('wss://shop.example.com', ['a'], { maxQueue: 5 });
  const own = new ReconnectingWebSocket(async () => new URL('wss://shop.example.com'));
  own.addEventListener('close', ({ code, reason }) => \`\${code.toFixed()} \${reason.trim()}\`, { once: true });
  own.send(new Uint8Array(3));
  const source = new ReconnectingEventSource('/events', { headers: { a: 'b' } });
  source.onerror = ({ response }) => response?.status.toFixed();
  export { socket, source };`;
const MISTAKES = `
  import { ReconnectingWebSocket } from 'drainshift/client';
  new ReconnectingWebSocket('wss://shop.example.com', [], { maxQueue: 'few' });
  new ReconnectingWebSocket('wss://shop.example.com').onclose = ({ colour }) => colour;`;

test.each([
  ['browsers', ['--lib', 'es2023,dom', '--typeRoots', 'none']],
  ['Node.js', ['--lib', 'es2023', '--types', 'node']],
])('the types of the client are those of %s, for both kinds of module', (_, more) => {
  const uses = more.includes('node') ? USES_THE_CLIENT.replace('socket: WebSocket', 'socket') : USES_THE_CLIENT;
  const said = compile({ 'uses.mts': uses, 'uses.cts': uses, 'wrong.mts': MISTAKES, 'wrong.cts': MISTAKES }, more);
  const found = said.map((line) => /^(.*)\(.*(TS\d+)/.exec(line)?.slice(1).join(' '));
  expect(found.sort()).toEqual(['wrong.cts TS2322', 'wrong.cts TS2339', 'wrong.mts TS2322', 'wrong.mts TS2339']);
});

test("the README's app runs as it says, with the runner that it says, and without a word", () => {
  const [, app = ''] = /```ts\n([^]*?)```/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8')) ?? [];
  writeFileSync(join(folder, 'quick-start.mts'), app);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['quick-start.mts'], {
    cwd: folder,
    encoding: 'utf8',
  });
  remove(join(folder, 'quick-start.mts'));
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
});

test("the CDK's own command synthesizes it", () => {
  execFileSync(process.execPath, ['node_modules/aws-cdk/bin/cdk', 'synth', '--quiet'], {
    cwd: folder,
    // A synthesis asks no one anything.
    env: { PATH: process.env.PATH ?? '', HOME: folder, CDK_DISABLE_CLI_TELEMETRY: 'true' },
    stdio: 'pipe',
  });
  expect(existsSync(join(folder, 'cdk.out/Shop.template.json'))).toBe(true);
});

test('the command runs with the dependencies that the package declares', () => {
  const command = join(folder, 'node_modules/drainshift/dist/bin/drainshift.js');
  expect(execFileSync(process.execPath, [command, '--version'], { cwd: folder, encoding: 'utf8' })).toContain(version);
  expect(execFileSync(process.execPath, [command, 'rehearse', '--help'], { cwd: folder, encoding: 'utf8' })).toContain(
    '--app',
  );
  expect(execFileSync(process.execPath, [command, 'replay', '--help'], { cwd: folder, encoding: 'utf8' })).toContain(
    '--to',
  );
  // What needs the SDK has it in a bundle of its own.
  const args = ['capture', 'show', '--from', 's3://my-bucket'];
  const env = {
    ...process.env,
    AWS_REGION: 'eu-central-1',
    AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
    AWS_MAX_ATTEMPTS: '1',
  };
  const keys = { AWS_ACCESS_KEY_ID: 'none', AWS_SECRET_ACCESS_KEY: 'none' };
  const { stderr } = spawnSync(process.execPath, [command, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...env, ...keys },
  });
  expect(stderr).toContain("'s3://my-bucket/' must be a bucket that can be listed, got Error: connect ECONNREFUSED");
});

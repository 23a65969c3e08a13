import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { spawnSync } from 'node:child_process';
import { build } from 'esbuild';

const ROOT = resolve(__dirname, '../../..');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drainshift-assets-'));
  writeFileSync(join(folder, 'package.json'), '{"name":"drainshift"}');
  mkdirSync(join(folder, 'dist'));
  cpSync(join(ROOT, 'dist/lib'), join(folder, 'dist/lib'), { recursive: true });
  cpSync(join(ROOT, 'dist/core'), join(folder, 'dist/core'), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function call(expression: string): { stdout: string; stderr: string } {
  const script = `const assets = require('./dist/lib/shared/assets'); console.log(${expression})`;
  return spawnSync(process.execPath, ['-e', script], { cwd: folder, encoding: 'utf8' });
}

test('a built package knows its assets from its compiled files', () => {
  mkdirSync(join(folder, 'dist/assets/lambda'), { recursive: true });
  writeFileSync(join(folder, 'dist/assets/lambda/index.js'), '');
  expect(call(`assets.lambdaAsset()`).stdout).toBe(`${join(folder, 'dist/assets/lambda')}\n`);
});

test('a package that was not built says so', () => {
  const missing = join(folder, 'dist/assets/proxy/proxy.js');
  expect(call('assets.proxyAsset()').stderr).toContain(
    `Error: '${missing}' must be built before synth, got no such file: run 'npm run build' first`,
  );
});

test.each([
  ['cjs', '', 'commonjs'],
  ['esm', "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);", 'module'],
] as const)('an app that bundled the package as %s is asked to leave it out', async (format, js, type) => {
  const app = join(folder, 'app');
  mkdirSync(app);
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'shop', type }));
  await build({
    stdin: { contents: "import { lambdaAsset } from '../dist/lib/shared/assets'; lambdaAsset();", resolveDir: app },
    outfile: join(app, 'app.js'),
    bundle: true,
    platform: 'node',
    format,
    banner: { js },
  });
  const { stderr } = spawnSync(process.execPath, [join(app, 'app.js')], { encoding: 'utf8' });
  expect(stderr).toMatch(
    /'drainshift' must stay a package of its own, got it in .*: bundle your app with --external:drainshift/,
  );
});

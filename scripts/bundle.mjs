// Bundles what is deployed beside the constructs: the Lambda functions, and the context of the proxy image; and what the command
// line needs of the AWS SDK, which is no dependency of the package.
// `lib/shared/assets.ts` knows where they are; the rehearsal runs these very files.
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';

const ASSETS = 'dist/assets';
const common = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'cjs',
  legalComments: 'none',
  logLevel: 'warning',
};

await rm(ASSETS, { recursive: true, force: true });
await mkdir(`${ASSETS}/proxy`, { recursive: true });
await Promise.all([
  build({
    ...common,
    entryPoints: ['lambda/index.ts'],
    outfile: `${ASSETS}/lambda/index.js`,
    minify: true,
    keepNames: true,
  }),
  build({
    ...common,
    entryPoints: ['lambda/operator.ts'],
    outfile: `${ASSETS}/cli/operator.js`,
    target: 'node20',
    minify: true,
    keepNames: true,
  }),
  build({
    ...common,
    entryPoints: ['proxy/main.ts'],
    outfile: `${ASSETS}/proxy/proxy.js`,
    // Names stay: a stack trace of the proxy says which function it was.
    minifyWhitespace: true,
    minifySyntax: true,
  }),
  copyFile('proxy/Dockerfile', `${ASSETS}/proxy/Dockerfile`),
  // A rehearsal runs it where the app was synthesized: below a package.json whose type may be that of modules.
  writeFile(`${ASSETS}/proxy/package.json`, '{ "type": "commonjs" }\n'),
]);

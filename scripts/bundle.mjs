// Bundles what is deployed beside the constructs: the Lambda functions, and the context of the proxy image; and what the command
// line needs of the AWS SDK, which is no dependency of the package. And the client, for browsers and for Node.
// `lib/shared/assets.ts` knows where they are; the rehearsal runs these very files.
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
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

/** The client of Kafka has native parts, and files beside it; these are the same in one file. */
const kafka = {
  alias: { '@platformatic/wasm-utils': '@platformatic/wasm-utils/bundled' },
  define: { 'import.meta.url': '__filename' },
};
/** The command line loads the SDK from a bundle beside it; an image has all of it in one file. */
const withSdk = {
  name: 'with-sdk',
  setup: ({ onLoad }) =>
    onLoad({ filter: /bin\/replay\/load-aws\.ts$/ }, () => ({
      contents: "export const loadAws = () => import('../../replay/aws');",
      loader: 'ts',
      resolveDir: resolve('bin/replay'),
    })),
};

await rm(ASSETS, { recursive: true, force: true });
await mkdir(`${ASSETS}/proxy`, { recursive: true });
await mkdir(`${ASSETS}/host`, { recursive: true });
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
    entryPoints: ['replay/aws.ts'],
    outfile: `${ASSETS}/cli/replay.js`,
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
    ...kafka,
  }),
  build({
    ...common,
    entryPoints: ['bin/replay/replayer.ts'],
    outfile: `${ASSETS}/proxy/replay.js`,
    minifyWhitespace: true,
    minifySyntax: true,
    ...kafka,
    plugins: [withSdk],
  }),
  copyFile('proxy/Dockerfile', `${ASSETS}/proxy/Dockerfile`),
  ...['checkpoint.sh', 'start.pl'].map((name) => copyFile(`host/${name}`, `${ASSETS}/host/${name}`)),
  // A rehearsal runs it where the app was synthesized: below a package.json whose type may be that of modules.
  writeFile(`${ASSETS}/proxy/package.json`, '{ "type": "commonjs" }\n'),
]);

// The client in its two forms. Two kilobytes of it count: what is internal gets short names, and no form has more than its exports.
const CLIENT = 'dist/client';
const INTERNAL = { _limit: '_l', _end: '_n', _tries: '_t', _timer: '_i', _options: '_o', _connect: '_e', _lose: '_r' };
const {
  outputFiles: [{ text: esm }],
} = await build({
  entryPoints: ['client/index.ts'],
  bundle: true,
  platform: 'neutral',
  target: 'es2022',
  format: 'esm',
  minify: true,
  mangleProps: /^_/,
  mangleCache: INTERNAL,
  legalComments: 'none',
  write: false,
});
const cjs = esm.replace(/export\{(.*)\};/, (_, names) =>
  names.replaceAll(/(\w+) as (\w+),?/g, (_pair, local, name) => `exports.${name}=${local};`),
);
await mkdir(CLIENT, { recursive: true });
await writeFile(`${CLIENT}/index.mjs`, esm);
await writeFile(`${CLIENT}/index.cjs`, cjs);
// The compiler writes declarations for `require`. Those for `import` name their files in full.
for (const name of (await readdir(CLIENT)).filter((each) => each.endsWith('.d.ts'))) {
  const text = await readFile(`${CLIENT}/${name}`, 'utf8');
  await writeFile(`${CLIENT}/${name.replace(/ts$/, 'mts')}`, text.replaceAll(/from '(\.\/[\w-]+)'/g, "from '$1.mjs'"));
}

import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { ROOT } from '../processes/resolve';

const STAND_IN = join(ROOT, 'bench/ledger/no-ledger.ts');

/** Builds our proxy as `scripts/bundle.mjs` does, with a ledger that counts nothing. @returns the script's path */
export async function bundleWithoutLedger(directory: string): Promise<string> {
  const outfile = join(directory, 'proxy.js');
  let replaced = 0;
  const plugin: Plugin = {
    name: 'no-ledger',
    setup: ({ onLoad }) =>
      onLoad({ filter: /[/\\]data-plane[/\\]contract[/\\]ledger\.ts$/ }, async () => {
        replaced += 1;
        return { contents: `export * from ${JSON.stringify(STAND_IN)};`, loader: 'ts' };
      }),
  };
  await build({
    entryPoints: [join(ROOT, 'proxy/main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    logLevel: 'silent',
    plugins: [plugin],
  });
  if (replaced === 0)
    throw new Error(
      "'proxy/data-plane/contract/ledger.ts' must be part of the proxy's bundle, got a bundle without it",
    );
  return outfile;
}

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Options of Node.js for the proxy, which its Dockerfile says why. */
export const PROXY_NODE_OPTIONS: readonly string[] = ['--max-semi-space-size=4'];

/** The command of the proxy's image, in the folder of its bundle. */
export const PROXY_COMMAND: readonly string[] = ['node', ...PROXY_NODE_OPTIONS, 'proxy.js'];

/** What replays captured traffic, in the same folder of the same image. */
export const REPLAY_SCRIPT = 'replay.js';

/** The folder with the bundle of all steps: `index.js`, which exports a handler by each step's name. */
export function lambdaAsset(): string {
  return builtAsset('lambda', 'index.js');
}

/** The build context of the proxy's image: `Dockerfile` and `proxy.js`. */
export function proxyAsset(): string {
  return builtAsset('proxy', 'proxy.js');
}

/** The folder of what hosts run: `checkpoint.sh`. */
export function hostAsset(): string {
  return builtAsset('host', 'checkpoint.sh');
}

/** @throws Error when the package was not built, rather than a stack that deploys an empty folder. */
function builtAsset(folder: string, file: string): string {
  const path = join(ownPackage(), 'dist', 'assets', folder);
  if (!existsSync(join(path, file))) {
    throw new Error(`'${join(path, file)}' must be built before synth, got no such file: run 'npm run build' first`);
  }
  return path;
}

/**
 * A bundler takes this code away from what lies beside it: the functions and the image would not be found, or those of another
 * package.
 */
function ownPackage(): string {
  const here = typeof __dirname === 'string' ? __dirname : undefined;
  const root = here === undefined ? undefined : packageRoot(here);
  const { name } = root === undefined ? {} : (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Named);
  if (root !== undefined && name === 'drainshift') return root;
  const place = here === undefined ? 'it in a bundle of ES modules' : `it in ${here}`;
  throw new Error(
    `'drainshift' must stay a package of its own, got ${place}: bundle your app with --external:drainshift`,
  );
}

interface Named {
  readonly name?: string;
}

/** The sources in `lib/` and the compiled files in `dist/lib/` share one package: the nearest one with a package.json. */
function packageRoot(folder: string): string | undefined {
  if (existsSync(join(folder, 'package.json'))) return folder;
  const parent = dirname(folder);
  return parent === folder ? undefined : packageRoot(parent);
}

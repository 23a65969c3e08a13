import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Options of Node.js for the proxy, which its Dockerfile says why. */
export const PROXY_NODE_OPTIONS: readonly string[] = ['--max-semi-space-size=4'];

/** The command of the proxy's image, in the folder of its bundle. */
export const PROXY_COMMAND: readonly string[] = ['node', ...PROXY_NODE_OPTIONS, 'proxy.js'];

/** The folder with the bundle of all steps: `index.js`, which exports a handler by each step's name. */
export function lambdaAsset(): string {
  return builtAsset('lambda', 'index.js');
}

/** The build context of the proxy's image: `Dockerfile` and `proxy.js`. */
export function proxyAsset(): string {
  return builtAsset('proxy', 'proxy.js');
}

/** @throws Error when the package was not built, rather than a stack that deploys an empty folder. */
function builtAsset(folder: string, file: string): string {
  const path = join(packageRoot(__dirname), 'dist', 'assets', folder);
  if (!existsSync(join(path, file))) {
    throw new Error(`'${join(path, file)}' must be built before synth, got no such file: run 'npm run build' first`);
  }
  return path;
}

/** The sources in `lib/` and the compiled files in `dist/lib/` share one package: the nearest one with a package.json. */
function packageRoot(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error(`'drainshift' must be inside a package, got ${__dirname}`);
  return packageRoot(parent);
}

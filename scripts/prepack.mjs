// `npm pack` and `npm publish` run this first: what is packed is built from these sources, also in a clone that has never
// installed anything.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

function npm(...args) {
  // npm prints the name of the tarball to standard output: everything else goes to standard error.
  const { status } = spawnSync('npm', args, { stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
}

if (!existsSync('node_modules/typescript')) npm('ci');
npm('run', 'build');

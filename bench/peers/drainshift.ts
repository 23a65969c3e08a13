import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWithoutLedger } from '../ledger/bundle';
import { ROOT } from '../processes/resolve';
import type { Launch } from '../processes/children';
import type { Job, Peer } from './peer';

const DOCKERFILE = join(ROOT, 'proxy/Dockerfile');
const BUNDLE = 'dist/assets/proxy/proxy.js';
const OWN_BUNDLE = join(ROOT, BUNDLE);

const missing = () => (existsSync(OWN_BUNDLE) ? undefined : 'npm run build');

/** Our proxy, as it runs in the image. */
export const drainshift: Peer = {
  name: 'drainshift',
  missing,
  launch: (job) => buildLaunch(OWN_BUNDLE, job),
};

/** The same with a ledger that counts nothing: the difference is what counting costs. */
export const drainshiftWithoutLedger: Peer = {
  name: 'drainshift-without-ledger',
  missing,
  isVariant: true,
  launch: async (job) => buildLaunch(await bundleWithoutLedger(job.directory), job),
};

/** Another build of our proxy, to compare with: `root` has its `dist/`. */
export function otherBuild(root: string): Peer {
  const bundle = join(root, BUNDLE);
  return {
    name: 'other-build',
    missing: () => (existsSync(bundle) ? undefined : `npm run build in ${root}`),
    launch: (job) => buildLaunch(bundle, job),
  };
}

/** What the image's command gives to Node. */
export function imageFlags(): string[] {
  const command = /^CMD (\[.*\])$/m.exec(readFileSync(DOCKERFILE, 'utf8'))?.[1] ?? '[]';
  return (JSON.parse(command) as string[]).filter((word) => word.startsWith('--'));
}

function buildLaunch(script: string, { port, upstreamPort, tls }: Job): Launch {
  const certificate = tls === undefined ? [] : ['--tls-certificate-file', tls.certificate, '--tls-key-file', tls.key];
  const listen = `127.0.0.1:${port}`;
  const upstream = `http://127.0.0.1:${upstreamPort}`;
  const args = [
    ...imageFlags(),
    script,
    '--listen',
    listen,
    '--upstream',
    upstream,
    '--log-level',
    'warn',
    ...certificate,
  ];
  return { command: process.execPath, args, env: { NODE_ENV: 'production' } };
}

import { join } from 'node:path';
import { resolvePackage, ROOT } from '../processes/resolve.ts';
import { nodePeerLaunch } from './node-peer.ts';
import type { Peer } from './peer.ts';

export const httpProxy: Peer = {
  name: 'http-proxy',
  missing: () => (resolvePackage('http-proxy') === undefined ? 'npm install --no-save http-proxy' : undefined),
  launch: (job) => nodePeerLaunch(join(ROOT, 'bench/peers/http-proxy-server.ts'), job),
};

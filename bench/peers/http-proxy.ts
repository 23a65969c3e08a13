import { join } from 'node:path';
import { resolvePackage } from '../processes/resolve';
import { nodePeerLaunch } from './node-peer';
import type { Peer } from './peer';

export const httpProxy: Peer = {
  name: 'http-proxy',
  missing: () => (resolvePackage('http-proxy') === undefined ? 'npm install --no-save http-proxy' : undefined),
  launch: (job) => nodePeerLaunch(join(__dirname, 'http-proxy-server.js'), job),
};

import { join } from 'node:path';
import { resolvePackage, ROOT } from '../processes/resolve.ts';
import { nodePeerLaunch } from './node-peer.ts';
import type { Peer } from './peer.ts';

const PACKAGES = ['fastify', '@fastify/http-proxy'];

export const fastifyHttpProxy: Peer = {
  name: '@fastify/http-proxy',
  missing: () => {
    const absent = PACKAGES.filter((name) => resolvePackage(name) === undefined);
    return absent.length === 0 ? undefined : `npm install --no-save ${absent.join(' ')}`;
  },
  launch: (job) => nodePeerLaunch(join(ROOT, 'bench/peers/fastify-http-proxy-server.ts'), job),
};

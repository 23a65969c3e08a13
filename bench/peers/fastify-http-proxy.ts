import { join } from 'node:path';
import { resolvePackage } from '../processes/resolve';
import { nodePeerLaunch } from './node-peer';
import type { Peer } from './peer';

const PACKAGES = ['fastify', '@fastify/http-proxy'];

export const fastifyHttpProxy: Peer = {
  name: '@fastify/http-proxy',
  missing: () => {
    const absent = PACKAGES.filter((name) => resolvePackage(name) === undefined);
    return absent.length === 0 ? undefined : `npm install --no-save ${absent.join(' ')}`;
  },
  launch: (job) => nodePeerLaunch(join(__dirname, 'fastify-http-proxy-server.js'), job),
};

import { join } from 'node:path';
import { nodePeerLaunch } from './node-peer';
import type { Peer } from './peer';

/** A proxy on `node:http` that is restarted as Pingora is: see the server. */
export const listenerHandover: Peer = {
  name: 'listener-handover',
  missing: () => undefined,
  launch: (job) => nodePeerLaunch(join(__dirname, 'listener-handover-server.js'), job),
};

import { readFileSync } from 'node:fs';
import type { Launch } from '../processes/children';
import { asked, whenParentEnds } from '../load/inside';
import type { Job } from './peer';

/** A peer that is a Node package needs a server around it: one of our scripts. */
export function nodePeerLaunch(script: string, job: Job): Launch {
  return { command: process.execPath, args: [script, JSON.stringify(job)], env: { NODE_ENV: 'production' } };
}

/** What a script is to serve; the inside of `nodePeerLaunch`. */
export interface NodePeerJob {
  readonly port: number;
  readonly target: string;
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | undefined;
}

export function nodePeerJob(): NodePeerJob {
  whenParentEnds();
  return readNodePeerJob();
}

/** The same, of a process that outlives the one that started it. */
export function readNodePeerJob(): NodePeerJob {
  const { port, upstreamPort, tls } = asked<Job>();
  return {
    port,
    target: `http://127.0.0.1:${upstreamPort}`,
    tls: tls && { cert: readFileSync(tls.certificate), key: readFileSync(tls.key) },
  };
}

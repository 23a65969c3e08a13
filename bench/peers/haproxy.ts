import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCommand } from '../processes/machine';
import type { Job, Peer } from './peer';

export const haproxy: Peer = {
  name: 'haproxy',
  missing: () => (hasCommand('haproxy') ? undefined : 'apt-get install haproxy'),
  launch: (job) => {
    const file = join(job.directory, 'haproxy.cfg');
    writeFileSync(file, configuration(job));
    const isRestarted = job.shutdownSeconds !== undefined;
    return { command: 'haproxy', args: [...(isRestarted ? ['-W'] : []), '-db', '-f', file] };
  },
};

function configuration({ port, upstreamPort, tls, openFiles, directory, shutdownSeconds }: Job): string {
  // Each connection takes two files; HAProxy refuses to start with a promise that it cannot keep.
  const connections = Math.floor(openFiles / 2) - 100;
  const scheme = tls === undefined ? 'http' : 'https';
  return `
global
  nbthread 1
  maxconn ${connections}
${shutdownSeconds === undefined ? '' : seamlessReload(directory, shutdownSeconds)}

defaults
  mode http
  timeout connect 10s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  timeout http-keep-alive 1h

frontend clients
  bind 127.0.0.1:${port} backlog 4096 ${tls === undefined ? '' : `ssl crt ${tls.both}`}
  option forwardfor
  http-request set-header X-Forwarded-Proto ${scheme}
  http-request set-header X-Forwarded-Port ${port}
  default_backend backend

backend backend
  http-reuse always
  server only 127.0.0.1:${upstreamPort}
`;
}

/** The new process gets the listening sockets of the old one, so that no connection is rejected. */
function seamlessReload(directory: string, shutdownSeconds: number): string {
  return `  stats socket ${join(directory, 'haproxy.sock')} mode 600 level admin expose-fd listeners
  hard-stop-after ${shutdownSeconds}s`;
}

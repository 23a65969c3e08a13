import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { imageFlags } from '../peers/drainshift';
import { nginxFrame } from '../upstream/nginx-frame';
import type { Launch } from '../processes/children';
import { hasCommand } from '../processes/machine';
import { freePort, HOST, listening } from '../processes/ports';
import { ROOT } from '../processes/resolve';
import type { Workplace } from '../processes/workplace';

/** What is spoken with clients, all without TLS, and with the upstream: gRPC in HTTP/2, anything else in HTTP/1.1. */
export type Spoken = 'http1' | 'http2' | 'grpc';

export interface Peer {
  readonly name: string;
  /** How to get it; undefined when it is there. */
  missing(): string | undefined;
  launch(job: Job): Launch;
}

interface Job {
  readonly spoken: Spoken;
  readonly host: string;
  readonly port: number;
  readonly upstreamPort: number;
  /** Its own, empty. */
  readonly directory: string;
}

const BUNDLE = join(ROOT, 'dist/assets/proxy/proxy.js');
const FILES = 4_096;

const drainshift: Peer = {
  name: 'drainshift',
  missing: () => (existsSync(BUNDLE) ? undefined : 'npm run build'),
  launch: ({ host, port, upstreamPort }) => {
    const quick = ['--head-seconds', '1', '--body-idle-seconds', '1', '--upgrade-protocols', 'tcp'];
    const where = ['--listen', `${host}:${port}`, '--upstream', `http://${HOST}:${upstreamPort}`];
    const args = [...imageFlags(), BUNDLE, ...where, ...quick, '--log-level', 'warn'];
    return { command: process.execPath, args };
  },
};

const nginx: Peer = {
  name: 'nginx',
  missing: () => (hasCommand('nginx') ? undefined : 'apt-get install nginx-light'),
  launch: ({ spoken, host, port, upstreamPort, directory }) => {
    const file = join(directory, 'nginx.conf');
    const upstream = `${HOST}:${upstreamPort}`;
    const pass = {
      http1: `proxy_pass http://${upstream}; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_field; proxy_set_header Host $http_host;`,
      http2: `proxy_pass http://${upstream}; proxy_http_version 1.1; proxy_set_header Connection '';`,
      grpc: `grpc_pass grpc://${upstream};`,
    };
    const server = `
      client_header_timeout 1s; client_body_timeout 1s; client_max_body_size 0;
      map $http_upgrade $connection_field { default upgrade; '' ''; }
      server {
        listen ${host}:${port} ${spoken === 'http1' ? '' : 'http2'};
        location / { ${pass[spoken]} }
      }`;
    writeFileSync(file, nginxFrame(directory, FILES, server));
    return { command: 'nginx', args: ['-p', directory, '-c', file] };
  },
};

const haproxy: Peer = {
  name: 'haproxy',
  missing: () => (hasCommand('haproxy') ? undefined : 'apt-get install haproxy'),
  launch: ({ spoken, host, port, upstreamPort, directory }) => {
    const file = join(directory, 'haproxy.cfg');
    const text = `
global
  nbthread 1
defaults
  mode http
  timeout connect 10s
  timeout client 1m
  timeout server 1m
  timeout http-request 1s
  timeout tunnel 1h
frontend clients
  bind ${host}:${port} ${spoken === 'http1' ? '' : 'proto h2'}
  default_backend backend
backend backend
  server only ${HOST}:${upstreamPort} ${spoken === 'grpc' ? 'proto h2' : ''}
`;
    writeFileSync(file, text);
    return { command: 'haproxy', args: ['-db', '-f', file] };
  },
};

export const PEERS: readonly Peer[] = [drainshift, nginx, haproxy];

export interface Started {
  readonly host: string;
  readonly port: number;
  readonly stop: () => Promise<void>;
}

/** Starts a peer before an upstream, at a free port unless `at` says where. */
export async function startPeer(
  place: Workplace,
  peer: Peer,
  spoken: Spoken,
  upstreamPort: number,
  at?: { readonly host: string; readonly port: number },
): Promise<Started> {
  const { host, port } = at ?? { host: HOST, port: await freePort() };
  const directory = join(place.directory, `${peer.name}-${spoken}-${host}-${port}`);
  mkdirSync(directory);
  const child = place.children.start(peer.launch({ spoken, host, port, upstreamPort, directory }), { name: peer.name });
  await listening(port, child, host);
  return { host, port, stop: () => child.kill() };
}

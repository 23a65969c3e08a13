import { drainshift, drainshiftWithoutLedger } from './drainshift.ts';
import { fastifyHttpProxy } from './fastify-http-proxy.ts';
import { haproxy } from './haproxy.ts';
import { httpProxy } from './http-proxy.ts';
import { nginx } from './nginx.ts';
import type { Peer } from './peer.ts';

export const PEERS: readonly Peer[] = [
  drainshift,
  drainshiftWithoutLedger,
  nginx,
  haproxy,
  httpProxy,
  fastifyHttpProxy,
];

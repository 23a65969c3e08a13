import { drainshift, drainshiftWithoutLedger } from './drainshift';
import { fastifyHttpProxy } from './fastify-http-proxy';
import { haproxy } from './haproxy';
import { httpProxy } from './http-proxy';
import { nginx } from './nginx';
import type { Peer } from './peer';

export const PEERS: readonly Peer[] = [
  drainshift,
  drainshiftWithoutLedger,
  nginx,
  haproxy,
  httpProxy,
  fastifyHttpProxy,
];

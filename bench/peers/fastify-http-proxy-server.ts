// `@fastify/http-proxy` with its own HTTP client (undici) as it comes, and no request log.
import { createRequire } from 'node:module';
import type { IncomingMessage } from 'node:http';
import { nodePeerJob } from './node-peer.ts';

/** As much of the packages as is used; they may not be installed, so their types are not asked for. */
interface Fastify {
  register(plugin: unknown, options: object): void;
  listen(at: { host: string; port: number; backlog: number }): Promise<string>;
}

interface FastifyRequest {
  readonly ip: string;
  readonly protocol: string;
  readonly raw: IncomingMessage;
}

type Fields = Readonly<Record<string, string | string[] | undefined>>;

const require = createRequire(import.meta.url);
const fastify = require('fastify') as (options: object) => Fastify;
const plugin: unknown = require('@fastify/http-proxy');
const { port, target, tls } = nodePeerJob();

function rewriteRequestHeaders({ ip, protocol }: FastifyRequest, fields: Fields): Fields {
  const forwarded = { 'x-forwarded-for': ip, 'x-forwarded-proto': protocol, 'x-forwarded-port': String(port) };
  return { ...withoutHopByHop(fields), ...forwarded };
}

/** It passes `Connection` on as it is, and responds to half of the requests that ask for a close with 500. */
function withoutHopByHop(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => name !== 'connection' && name !== 'keep-alive'));
}

const server = fastify({ logger: false, keepAliveTimeout: 3_600_000, ...(tls && { https: tls }) });
server.register(plugin, {
  upstream: target,
  websocket: true,
  replyOptions: { rewriteRequestHeaders, rewriteHeaders: withoutHopByHop },
});
await server.listen({ host: '127.0.0.1', port, backlog: 4096 });

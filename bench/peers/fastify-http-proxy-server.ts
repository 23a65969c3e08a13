// `@fastify/http-proxy` with its own HTTP client (undici) as it comes, and no request log.
import plugin from '@fastify/http-proxy';
import fastify from 'fastify';
import { nodePeerJob } from './node-peer';

type Fields = Readonly<Record<string, string | string[] | undefined>>;

interface Client {
  readonly ip: string;
  readonly protocol: string;
}

const { port, target, tls } = nodePeerJob();

function rewriteRequestHeaders({ ip, protocol }: Client, fields: Fields): Fields {
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
void server.listen({ host: '127.0.0.1', port, backlog: 4096 });

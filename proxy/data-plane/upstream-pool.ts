import http from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import type { Upstream } from './data-plane';

/**
 * Which connection a request may take: `shared` any pooled one, for requests that can be sent again; `young` only one
 * that was in use a moment ago, for requests that cannot; `fresh` a new one, for upgrades and second tries.
 */
export type ConnectionChoice = 'shared' | 'young' | 'fresh';

type Pool = Readonly<Record<ConnectionChoice, http.Agent>>;

/** An upstream's keep-alive timeout is rarely this short, so a request without a second try does not meet its close. */
const YOUNG_MS = 1_000;
const MAX_HEAD_BYTES = 80 * 1024;

/** The connections to every upstream that was ever asked for, kept alive between requests. */
export class UpstreamPools {
  private readonly pools = new Map<string, Pool>();

  constructor(private readonly idleMs: number) {}

  /** @throws TypeError when the method, path or a field is not sendable as HTTP/1.1. */
  request(
    upstream: Upstream,
    choice: ConnectionChoice,
    message: { method: string; path: string; headers: http.OutgoingHttpHeaders; idleMs: number },
  ): http.ClientRequest {
    const client = upstream.protocol === 'https' ? https : http;
    return client.request({
      agent: this.poolOf(upstream)[choice],
      host: upstream.host,
      port: upstream.port,
      method: message.method,
      path: message.path,
      headers: message.headers,
      setHost: false,
      timeout: message.idleMs,
      maxHeaderSize: MAX_HEAD_BYTES,
      insecureHTTPParser: false,
    });
  }

  destroy(): void {
    for (const pool of this.pools.values()) for (const agent of Object.values(pool)) agent.destroy();
    this.pools.clear();
  }

  private poolOf(upstream: Upstream): Pool {
    const { protocol, host, port, serverName, verifyCertificate } = upstream;
    const key = [protocol, host, port, serverName, verifyCertificate].join(' ');
    const pool = this.pools.get(key) ?? this.createPool(upstream);
    this.pools.set(key, pool);
    return pool;
  }

  private createPool(upstream: Upstream): Pool {
    const young = Math.min(YOUNG_MS, this.idleMs);
    return {
      shared: createAgent(upstream, { keepAlive: true, timeout: this.idleMs }),
      young: createAgent(upstream, { keepAlive: true, timeout: young }),
      fresh: createAgent(upstream, { keepAlive: false, allowHalfOpen: true }),
    };
  }
}

function createAgent(upstream: Upstream, options: http.AgentOptions & { allowHalfOpen?: boolean }): http.Agent {
  // LIFO keeps few connections busy rather than many nearly idle; Node also heeds the upstream's `Keep-Alive: timeout`.
  const common = { ...options, scheduling: 'lifo' as const, maxFreeSockets: 1024, noDelay: true };
  if (upstream.protocol === 'http') return new http.Agent(common);
  return new https.Agent({
    ...common,
    // Without this Node takes the name from the Host field, which is the client's to choose. An address is no server name.
    servername: upstream.serverName ?? (isIP(upstream.host) ? '' : upstream.host),
    rejectUnauthorized: upstream.verifyCertificate ?? true,
  });
}

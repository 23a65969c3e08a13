import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request that the relay has read whole. */
export interface Relayed {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Passes it on. Called at most once. */
  forward(): Promise<{ status: number; headers: Record<string, string>; content: Buffer }>;
}

/** Stands between a client and an endpoint, and may lose what either says. `stop` cuts its connections. */
export async function startRelay(
  endpointUrl: string,
  relay: (request: Relayed, response: ServerResponse) => Promise<void>,
): Promise<{ readonly url: string; stop(): void }> {
  const server = createServer(
    (request, response) => void read(request, endpointUrl).then((whole) => relay(whole, response)),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
}

async function read(request: IncomingMessage, endpointUrl: string): Promise<Relayed> {
  const body: Buffer[] = [];
  for await (const chunk of request) body.push(chunk as Buffer);
  const { host, ...headers } = request.headers as Record<string, string>;
  delete headers['transfer-encoding'];
  const [method, url] = [request.method ?? '', request.url ?? ''];
  const forward = async () => {
    const received = await fetch(`${endpointUrl}${url}`, {
      method,
      headers: { ...headers, 'x-host': host ?? '' },
      ...(body.length > 0 && { body: Buffer.concat(body) }),
    });
    return {
      status: received.status,
      headers: Object.fromEntries(received.headers),
      content: Buffer.from(await received.arrayBuffer()),
    };
  };
  return { method, path: new URL(url, 'http://s3').pathname, headers, forward };
}

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HOST } from '../processes/ports';

/** Serves anything that Node's server takes, and counts it. */
export async function startHttpUpstream(): Promise<{ port: number; stop: () => void }> {
  const server = createServer((request, response) => {
    request.resume();
    request.once('end', () => response.writeHead(200, { 'content-length': '6' }).end('served'));
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return { port: (server.address() as AddressInfo).port, stop };
}

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { StateTransfers } from '../../proxy/backend-calls/state-transfers';
import { later, stopAll } from '../proxy/support/world';

afterEach(stopAll);

test('an importer that is gone is given up, however much of the export was read', async () => {
  let exports = 0;
  const source = http.createServer((_, response) => {
    exports += 1;
    response.writeHead(200, { etag: '"1"' });
    response.write('x'.repeat(10_000 * exports));
  });
  await new Promise<void>((resolve) => source.listen(0, '127.0.0.1', resolve));
  const target = http.createServer((request) => {
    // It reads some of each import, and dies.
    request.once('data', () => request.socket.destroy());
    if (request.method === 'GET') request.socket.destroy();
  });
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  later(() => {
    for (const server of [source, target]) {
      server.closeAllConnections();
      server.close();
    }
  });
  const find = (server: http.Server) => ({
    ...{ protocol: 'http' as const, host: '127.0.0.1', port: (server.address() as AddressInfo).port },
  });
  const report = await new StateTransfers({ source: find(source), target: find(target) }).follow({
    ...{ id: '1', kind: 'copy', from: 'source', to: 'target', path: '/state', epoch: 0 },
    ...{ maxBytes: 2 ** 40, limitMs: 600_000, waitMs: 25_000, cancels: false },
  });
  expect([report.state, exports]).toEqual(['failed', 5]);
});

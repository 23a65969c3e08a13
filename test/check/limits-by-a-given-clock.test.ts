import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { closeInOrder, openWebSocket } from '../../check/open-websocket';
import { get } from '../../check/request';
import type { CheckTarget, StartLimit } from '../../check/target';
import { later, stopAll } from '../proxy/support/world';

afterEach(stopAll);

const { signal } = new AbortController();

/** A server that thinks for longer than the target's limit. */
async function startServer(startLimit: StartLimit): Promise<CheckTarget> {
  const server = createServer((_, response) => setTimeout(() => response.end('late'), 100));
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    setTimeout(() => sockets.handleUpgrade(request, socket, head, () => undefined), 100);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  later(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return { url, headers: {}, subprotocols: [], insecure: false, timeoutMs: 1, startLimit };
}

test('a clock that stands still makes no request and no handshake late', async () => {
  const target = await startServer(() => ({ clear: () => undefined }));
  expect(await get(target, undefined, signal)).toMatchObject({ status: 200, body: 'late' });
  const { socket, problem } = await openWebSocket(
    { ...target, url: new URL(target.url.href.replace('http', 'ws')) },
    {},
    signal,
  );
  expect(problem).toBeUndefined();
  await closeInOrder(socket!);
});

test('one that runs ends both', async () => {
  const target = await startServer((_, late) => ({ clear: clearTimeout.bind(undefined, setTimeout(late, 0)) }));
  expect(await get(target, undefined, signal)).toEqual({ problem: 'no whole response in 1 ms' });
  const url = new URL(target.url.href.replace('http', 'ws'));
  expect((await openWebSocket({ ...target, url }, {}, signal)).problem).toBeDefined();
});

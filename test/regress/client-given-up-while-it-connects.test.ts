import net, { AddressInfo } from 'node:net';
import { Recorder } from '../../rehearsal/traffic/counting/recorder';
import { WebSocketClient } from '../../rehearsal/traffic/clients/websocket-client';
import { until } from '../support/until';

// The traffic of a rehearsal ended with an error: a client that was given up sent its messages on a socket that was not open yet.

test('what was due on a WebSocket that never opened is lost, and ends nothing else', async () => {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  let connected = false;
  server.on('connection', (socket) => {
    connected = true;
    socket.on('error', () => undefined);
  });
  const recorder = new Recorder();
  const connectTo = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  const client = new WebSocketClient(
    { ...connectTo, authority: 'shop.example.com', serverName: 'shop.example.com', ca: '' },
    'page',
    recorder,
    () => Infinity,
  );
  const life = client.live();
  client.send(performance.now());
  await until(() => connected);
  client.finish(1);
  await life;
  expect(recorder.websocket).toMatchObject({ opened: 0, lost: 1, dropped: 1 });
  server.close();
});

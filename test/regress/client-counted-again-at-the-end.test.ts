import { createServer } from 'node:https';
import { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { WebSocketServer } from 'ws';
import { parseScenario } from '../../core/scenario/scenario';
import { Generators } from '../../rehearsal/traffic/generators';
import { until } from '../support/until';

let close: () => void = () => undefined;
afterEach(() => close());

// On a busy machine the traffic ended between the handshake of a client and the Close frame that it got each time: the message for which
// it waited was counted as one more loss.
test('a client whose WebSockets failed is counted once, also where the last one has just been opened at the end', async () => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'shop.example.com' }], {
    ...{ keyType: 'ec', algorithm: 'sha256' },
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'shop.example.com' }] }],
  });
  const server = createServer({ cert, key }, (_, response) => response.end());
  close = () => (server.close(), server.closeAllConnections());
  let connections = 0;
  // The Close frame of the second connection is late.
  new WebSocketServer({ server }).on('connection', (socket) => {
    connections += 1;
    if (connections === 1) socket.close(1008);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const traffic = new Generators({
    origin: 'https://shop.example.com',
    connectTo: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    ca: cert,
    scenario: parseScenario({
      clients: 1,
      requestsPerSecond: 1,
      requests: [{ path: '/' }],
      webSockets: [{ name: 'chat', path: '/', clients: 1, script: [{ send: 'hello', expect: {} }] }],
    }),
    arrivalMs: 10,
    lastResponsesMs: 200,
  });
  traffic.start();
  await until(() => connections === 2);
  await traffic.stop();

  const { entries, websocket, failures } = traffic.recorder.tally();
  expect(entries?.map(({ name, bySide }) => [name, bySide.noSide.wrong])).toContainEqual(['chat', 1]);
  expect(websocket).toMatchObject({ opened: 2, dropped: 1, lost: 0 });
  expect(failures).toEqual([expect.stringContaining('expected a Close frame at the end, got code 1008')]);
});

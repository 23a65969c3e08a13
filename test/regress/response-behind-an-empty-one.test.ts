import { get, startEngine, startRawBackend, stopAll } from '../proxy/support/world';

afterEach(stopAll);

test('a 204 that announces a body costs its connection: that body is no one’s response', async () => {
  const connections: number[] = [];
  const port = await startRawBackend((socket) => {
    const mine = connections.push(0) - 1;
    socket.on('data', () => {
      connections[mine] = connections[mine]! + 1;
      const late = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON';
      if (mine === 0) socket.write(`HTTP/1.1 204 No Content\r\nContent-Length: ${late.length}\r\n\r\n`);
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  const engine = await startEngine(port);
  expect(await get({ port: engine.port })).toMatchObject({ status: 204 });
  expect(await get({ port: engine.port })).toMatchObject({ status: 200, body: 'ok' });
  expect(connections).toEqual([1, 1]);
});

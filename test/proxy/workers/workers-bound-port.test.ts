import { bindPort } from '../../../proxy/workers/bound-port';

test('a port is closed once, however often it is asked for, and is free then', async () => {
  const port = await bindPort({ host: '127.0.0.1', port: 0 });
  port.close();
  port.close();
  const again = await bindPort(port.at);
  expect(again.at).toEqual(port.at);
  again.close();
});

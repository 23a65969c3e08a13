import { startEngine, stopAll } from '../proxy/support/world';
import { head } from '../proxy/data-plane/http1/support/rejections';
import { send } from '../proxy/data-plane/http1/support/raw-client';

afterEach(stopAll);

/** It waited for a body that it could not read any more, until the client was late with it. */
test('a malformed chunk behind the response ends the connection at once', async () => {
  const { port } = await startEngine(0, { decide: () => ({ response: { status: 200, body: 'early' } }) });
  const client = await send(port, head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked'));
  await client.when(({ received }) => received.includes('early'));
  client.send('no size\r\n');
  await client.when(({ hasEnded }) => hasEnded);
  expect(client.read().responses.map(({ status }) => status)).toEqual([200]);
  expect(client.wasReset).toBe(false);
});

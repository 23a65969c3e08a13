import http2 from 'node:http2';
import { status } from '@grpc/grpc-js';
import { HEALTH_PATH } from '../../../core/proxy/admin-api';
import { startTestProxy } from '../support/proxy-world';
import { later, startBackend, stopAll, until } from '../support/world';

afterEach(stopAll);

test('the health check of a gRPC target group is responded to by the proxy itself, with status OK', async () => {
  let asked = 0;
  const backend = await startBackend((_, response) => {
    asked += 1;
    response.end();
  });
  const proxy = await startTestProxy(backend.port);
  const session = http2.connect(`http://127.0.0.1:${proxy.data.port}`);
  later(() => session.destroy());
  const stream = session.request({ ':method': 'POST', ':path': HEALTH_PATH, 'content-type': 'application/grpc' });
  let head: http2.IncomingHttpHeaders = {};
  stream.on('response', (headers) => (head = headers));
  stream.resume().end(Buffer.alloc(5));
  await until(() => stream.closed);
  expect(head).toMatchObject({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': String(status.OK) });
  expect(asked).toBe(0);
});

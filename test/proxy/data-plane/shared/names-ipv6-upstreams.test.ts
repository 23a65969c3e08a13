import http from 'node:http';
import os from 'node:os';
import { exchangeBytes, later, findPort, startEngine, stopAll } from '../../support/world';

afterEach(stopAll);

const hasIPv6 = Object.values(os.networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));

// RFC 3986 section 3.2.2: without brackets no one could tell the address from the port.
(hasIPv6 ? test : test.skip)('an HTTP/1.0 client without a Host is given that of an IPv6 upstream', async () => {
  const server = http.createServer((request, response) => response.end(`asked at ${request.headers.host}`));
  await new Promise<void>((resolve) => server.listen(0, '::1', resolve));
  later(() => void server.close());
  const upstream = { protocol: 'http', host: '::1', port: findPort(server) } as const;
  const engine = await startEngine(0, { decide: () => ({ forward: { upstream } }) });
  const response = await exchangeBytes(engine.port, 'GET / HTTP/1.0\r\n\r\n');
  expect(response).toMatch(/^HTTP\/1\.1 200 /);
  expect(response).toContain(`asked at [::1]:${upstream.port}`);
});

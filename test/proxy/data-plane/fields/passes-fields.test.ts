import { Mirrored, mirror } from '../../support/mirror';
import { get, startBackend, startEngine, stopAll } from '../../support/world';

afterEach(stopAll);

test('trailers pass both ways, except fields that have no place there', async () => {
  const backend = await startBackend((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(200, { trailer: 'x-sum' });
      response.write('body');
      response.addTrailers({ 'x-sum': String(Object.entries(request.trailers)), 'set-cookie': 'a=1' });
      response.end();
    });
  });
  const engine = await startEngine(backend.port);
  const got = await get({ port: engine.port, method: 'POST', headers: { trailer: 'x-in' } }, (request) => {
    request.write('data');
    const forged = { 'x-forwarded-for': '192.0.2.1', 'x-amzn-trace-id': 'Root=1' };
    request.addTrailers({ 'x-in': '42', ...forged });
    request.end();
  });
  expect(got.body).toBe('body');
  expect(got.trailers).toEqual({ 'x-sum': 'x-in,42' });
});

test('fields of one hop are stripped, and Connection cannot strip what the backend trusts', async () => {
  const backend = await startBackend((request, response) => {
    response.setHeader('connection', 'x-secret');
    response.setHeader('x-secret', '1');
    response.setHeader('keep-alive', 'timeout=9');
    mirror(request, response);
  });
  const engine = await startEngine(backend.port);
  const got = await get({
    port: engine.port,
    headers: {
      connection: 'meter, authorization, x-forwarded-for, host',
      meter: '1',
      authorization: 'Basic abc',
      'x-forwarded-for': '192.0.2.1',
      'keep-alive': 'timeout=1',
      'proxy-connection': 'keep-alive',
      te: 'gzip, trailers',
      upgrade: 'h2c',
      'http2-settings': 'AAMAAABkAAQAAP__',
    },
  });
  const seen = (JSON.parse(got.body) as Mirrored).headers;
  expect(seen).toMatchObject({ authorization: 'Basic abc', 'x-forwarded-for': '192.0.2.1', te: 'trailers' });
  for (const name of ['meter', 'keep-alive', 'proxy-connection', 'upgrade', 'http2-settings']) {
    expect(seen[name]).toBeUndefined();
  }
  expect(got.headers['x-secret']).toBeUndefined();
});

test('several fields of one name stay several', async () => {
  const backend = await startBackend((_, response) => {
    response.setHeader('set-cookie', ['a=1', 'b=2']);
    response.end();
  });
  const engine = await startEngine(backend.port, {
    decide: () => ({
      forward: {
        upstream: { protocol: 'http', host: '127.0.0.1', port: backend.port },
        responseHeaders: () => ({ 'Set-Cookie': ['AWSALB=x'] }),
      },
    }),
  });
  const got = await get({ port: engine.port });
  expect(got.headers['set-cookie']).toEqual(['a=1', 'b=2', 'AWSALB=x']);
});

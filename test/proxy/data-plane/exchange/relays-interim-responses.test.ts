import http from 'node:http';
import { Mirrored, mirror } from '../../support/mirror';
import { exchangeBytes, get, startBackend, startEngine, startRawBackend, stopAll } from '../../support/world';

afterEach(stopAll);

test('100-continue is the upstream’s to give', async () => {
  const backend = await startBackend(mirror);
  backend.server.on('checkContinue', (request: http.IncomingMessage, response: http.ServerResponse) => {
    if (request.url === '/no') return void response.writeHead(413).end();
    response.writeContinue();
    mirror(request, response);
  });
  const engine = await startEngine(backend.port);
  const ask = (path: string) => {
    let continued = false;
    return get(
      { port: engine.port, method: 'POST', path, headers: { expect: '100-continue', 'content-length': '4' } },
      (request) => {
        request.on('continue', () => {
          continued = true;
          request.end('body');
        });
        request.on('response', () => request.end());
        request.flushHeaders();
      },
    ).then((got) => ({ ...got, continued }));
  };
  const yes = await ask('/yes');
  expect(yes).toMatchObject({ status: 200, continued: true });
  expect((JSON.parse(yes.body) as Mirrored).body).toBe('body');
  const no = await exchangeBytes(
    engine.port,
    'POST /no HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n',
  );
  expect(no).toMatch(/^HTTP\/1\.1 413 /);
});

test('early hints are relayed', async () => {
  const backend = await startBackend((_, response) => {
    response.writeEarlyHints({ link: '</a.css>; rel=preload; as=style' });
    response.end('ok');
  });
  const engine = await startEngine(backend.port);
  const hints: http.InformationEvent[] = [];
  const got = await get({ port: engine.port }, (request) => {
    request.on('information', (info) => hints.push(info));
    request.end();
  });
  expect(got.body).toBe('ok');
  expect(hints.map((hint) => hint.statusCode)).toEqual([103]);
});

test('a hint that cannot be relayed is left out, and the response comes', async () => {
  const port = await startRawBackend((socket) => {
    socket.on('data', () => {
      socket.write('HTTP/1.1 103 Early Hints\r\nLink: no link at all\r\n\r\n');
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  const engine = await startEngine(port);
  expect(await get({ port: engine.port })).toMatchObject({ status: 200, body: 'ok' });
});

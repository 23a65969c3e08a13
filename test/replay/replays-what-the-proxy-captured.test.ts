import { mkdtempSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileSource } from '../../capture/folder/file-source';
import { readParts } from '../../capture/read/part-merge';
import { parseStatusLine, readBody } from '../../core/capture/http-message';
import { captureTo } from '../proxy/capture/captured';
import { startTestProxy } from '../proxy/support/proxy-world';
import {
  exchangeBytes,
  get,
  later,
  selfSigned,
  startBackend as startSource,
  stopAll,
  until,
} from '../proxy/support/world';
import { respondAfter, startBackend } from './recording-backend';
import { runReplay } from './run';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'drainshift-replay-'))));
afterEach(async () => {
  await stopAll();
  rmSync(folder, { recursive: true, force: true });
});

test('what clients sent through the proxy reaches the target once, in order, beside its recorded response', async () => {
  const source = await startSource((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () =>
      response.end(
        `${request.method} ${Buffer.concat(pieces).toString()}`.padEnd(request.url === '/long' ? 5_000 : 0, '.'),
      ),
    );
  });
  const capture = captureTo(folder, { bodyBytes: 1_000 });
  const proxy = await startTestProxy(source.port, { capture, tls: await selfSigned() });
  const plain = await startTestProxy(source.port, { capture });
  const head = 'Host: a\r\n';
  const pipelined = [
    `GET /a?b=%20c HTTP/1.1\r\n${head}X-Twice: 1\r\nX-Twice: 2\r\n\r\n`,
    `POST /length HTTP/1.1\r\n${head}Content-Length: 5\r\n\r\nhello`,
    `PUT /chunked HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`,
    `POST /long HTTP/1.1\r\n${head}Content-Length: 1\r\n\r\n!`,
    `HEAD /head HTTP/1.1\r\n${head}\r\n`,
    `DELETE /none HTTP/1.1\r\n${head}Connection: close\r\n\r\n`,
  ];
  await exchangeBytes(plain.data.port, pipelined.join(''));
  await get(
    {
      port: plain.data.port,
      method: 'POST',
      path: '/expects',
      headers: { expect: '100-continue', 'content-length': 4 },
    },
    (request) => request.once('continue', () => request.end('body')),
  );
  const session = http2.connect(`https://127.0.0.1:${proxy.data.port}`, { rejectUnauthorized: false });
  later(() => session.destroy());
  const ask = (path: string) =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ':method': 'POST', ':path': path });
      stream.resume().on('end', resolve).on('error', reject);
      stream.end(`body of ${path}`);
    });
  await Promise.all(['/1', '/2', '/3'].map(ask));
  await until(() => [proxy, plain].every((each) => each.report().capture?.pendingBytes === 0));

  const target = await startBackend((_, response) => respondAfter(response, 0));
  later(() => target.close());
  const { replay, parked, replayed } = await runReplay(readParts(await openFileSource(folder)), target.url);
  expect(parked).toEqual([]);
  expect(replay.counts).toMatchObject({ sent: 10, failed: 0, skipped: 0 });
  const asked = target.arrivals.map(({ method, url, body }) => `${method} ${url} ${body}`);
  const ofOne = [
    'GET /a?b=%20c ',
    'POST /length hello',
    'PUT /chunked abcde',
    'POST /long !',
    'HEAD /head ',
    'DELETE /none ',
  ];
  const others = ['POST /1 body of /1', 'POST /2 body of /2', 'POST /3 body of /3', 'POST /expects body'];
  expect(asked.filter((each) => !others.includes(each))).toEqual(ofOne);
  expect(asked.filter((each) => !ofOne.includes(each)).sort()).toEqual(others);
  expect(new Set(target.arrivals.map(({ id }) => id)).size).toBe(10);
  const first = target.arrivals[0]!;
  expect(first.headers).toMatchObject({ 'x-twice': '1, 2', host: target.url.host, 'x-drainshift-replay-id': first.id });
  const recorded = new Map(
    replayed.map(({ request, response }) => [request.startLine.split(' ')[1], response!] as const),
  );
  const said = (path: string) => Buffer.from(readBody(recorded.get(path)!)).toString();
  expect([said('/length'), said('/chunked'), said('/none'), said('/1')]).toEqual([
    'POST hello',
    'PUT abcde',
    'DELETE ',
    'POST body of /1',
  ]);
  expect(recorded.get('/long')!.problem).toBe('its body must have 5000 bytes, got 1000');
  expect([...recorded.values()].map(({ startLine }) => parseStatusLine(startLine)?.status)).toEqual(
    Array(10).fill(200),
  );
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { formatExportLine } from '../../../../core/capture/export-line';
import { Recorder } from '../../../../rehearsal/traffic/counting/recorder';
import { RecordingClients } from '../../../../rehearsal/traffic/recording/recording-clients';
import type { HttpRequest, HttpResponse, Transport } from '../../../../rehearsal/traffic/transport/transport';
import { Backend, startBackend } from '../../../replay/recording-backend';
import { MadeExchange, get, partsOf, put } from '../../../support/recorded';
import { until } from '../../../support/until';

let folder: string;
let source: Backend;
let recorder: Recorder;
let clients: RecordingClients | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'drainshift-recording-'));
  source = await startBackend((_, response) => void response.end(BODY));
  recorder = new Recorder();
});
afterEach(async () => {
  await clients?.stop();
  clients = undefined;
  await source.close();
  rmSync(folder, { recursive: true, force: true });
});

const BODY = '{"price":12}';
const RECORDED = `HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;

/** A cart of each connection: a write, then a read, then a write. */
function record(response = RECORDED): string {
  const exchanges = Array.from({ length: 60 }, (_, n): MadeExchange => {
    const place = { connection: `c${n % 20}`, n: Math.floor(n / 20), startMs: n * 10, endMs: n * 10 + 5 };
    const request = n % 40 < 20 ? put('/cart', '{"n":1}') : get(`/cart?turn=${Math.floor(n / 20)}`);
    return { ...place, request, response };
  });
  const file = join(folder, 'capture.proto.gz');
  writeFileSync(file, gzipSync(partsOf(exchanges).map(formatExportLine).join('')));
  return file;
}

/** A load balancer that serves by turns, and what it was sent. */
function balance(respond: (side: string, request: HttpRequest) => Partial<HttpResponse>) {
  const sent: HttpRequest[] = [];
  const connect = (): Transport => ({
    maxAtOnce: 1,
    send: async (request) => {
      sent.push(request);
      const side = sent.length % 2 === 0 ? 'source' : 'target';
      const headers = { 'x-drainshift-side': side, 'set-cookie': ['AWSALBTG=1; Path=/'] };
      return Promise.resolve({ status: 200, body: Buffer.from(BODY), ...respond(side, request), headers });
    },
    close: () => undefined,
  });
  return { sent, connect };
}

function start(path: string, connect: () => Transport): RecordingClients {
  const options = { path, speed: 10, key: { kind: 'connection' as const }, ignore: [], roundSeconds: 0.05 };
  clients = new RecordingClients({ ...options, sourceUrl: source.url.origin }, 'shop.example.com', connect, recorder);
  clients.start();
  return clients;
}

test('requests are sent in the order of their connection, again from the first one on, each round under ids of its own', async () => {
  const { sent, connect } = balance(() => ({}));
  const running = start(record(), connect);
  await until(() => sent.length > 200);
  const { rounds, skipped } = await running.stop();
  expect(rounds).toBeGreaterThan(2);
  expect(skipped).toBe(0);
  const ids = sent.map(({ headers = {} }) => headers['x-drainshift-replay-id'] ?? '');
  expect(ids.filter((id) => /^c7\./.test(id)).slice(0, 6)).toEqual([
    'c7.0',
    'c7.1',
    'c7.2',
    'c7.0~2',
    'c7.1~2',
    'c7.2~2',
  ]);
  expect(new Set(ids).size).toBe(ids.length);
  expect(sent[0]).toMatchObject({ method: 'PUT', path: '/cart', body: Buffer.from('{"n":1}') });
  const { http, right, responsesBySide } = recorder;
  expect([http.sent, http.ok, http.failed]).toEqual([sent.length, sent.length, 0]);
  expect(right.reads + right.uploads).toBe(sent.length);
  expect(responsesBySide.source).toBeGreaterThan(90);
});

test('what only the target does otherwise is found, and cookies of the load balancer are no difference', async () => {
  const { sent, connect } = balance((side) => (side === 'target' ? { body: Buffer.from('{"price":13}') } : {}));
  const running = start(record(), connect);
  await until(() => sent.length > 1_500);
  const { comparison } = await running.stop();
  expect(comparison.verdict).toBe('roll back');
  const fields = comparison.routes.flatMap((route) => route.fields.map(({ field }) => field));
  expect([...new Set(fields)]).toEqual(['body.price']);
  expect(source.arrivals.length).toBeGreaterThan(10);
  expect(source.arrivals.every(({ method, headers }) => method === 'GET' && headers.host === 'shop.example.com')).toBe(
    true,
  );
});

test('what both sides do otherwise than when it was recorded is noise', async () => {
  const { sent, connect } = balance((_, { method }) => (method === 'GET' ? {} : { status: 409 }));
  const running = start(record(), connect);
  await until(() => sent.length > 1_000);
  const { comparison } = await running.stop();
  expect(comparison.verdict).not.toBe('roll back');
  expect(comparison.routes.find(({ route }) => route === 'PUT /cart')?.fields[0]).toMatchObject({
    field: 'status',
    finding: 'noise',
  });
  expect(recorder.http.failed).toBe(0);
});

test('a request without a response, and an error of the server that was not recorded, is a loss', async () => {
  const { sent, connect } = balance((_, { path }) => {
    if (path === '/cart?turn=1' && sent.length % 5 === 0) throw new Error('ECONNRESET');
    return path === '/cart' && sent.length % 7 === 0 ? { status: 502 } : {};
  });
  const running = start(record(), connect);
  await until(() => recorder.tally().failures.length >= 2 && sent.length > 100);
  await running.stop();
  const { http } = recorder;
  expect(http.failed).toBeGreaterThan(5);
  expect(http.ok + http.failed).toBe(http.sent);
  expect(http.sent).toBe(sent.length);
  expect(recorder.tally().failures.join('\n')).toMatch(/PUT \/cart: expected 200 as recorded, got 502/);
  expect(recorder.tally().failures.join('\n')).toMatch(/GET \/cart\?turn=1: expected a response, got ECONNRESET/);
});

test('an error that was recorded is expected', async () => {
  const { sent, connect } = balance(() => ({ status: 503 }));
  const running = start(record('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n'), connect);
  await until(() => sent.length >= 60);
  await running.stop();
  expect(recorder.http.failed).toBe(0);
  expect(recorder.right.expectedErrors).toBe(recorder.http.sent);
});

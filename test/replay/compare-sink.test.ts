import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { HttpMessage } from '../../core/capture/http-message';
import { CompareSink } from '../../replay/compare-sink';
import { Sender } from '../../replay/send';

const message = (startLine: string): HttpMessage => {
  const raw = Buffer.from(`${startLine}\r\n\r\n`);
  return {
    raw,
    headBytes: raw.length,
    startLine,
    headers: [],
    framing: { kind: 'none' },
    firstByteMs: 0,
    lastByteMs: 0,
  };
};

/** Where nothing listens. */
async function findClosedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('a source that does not respond to a repeated request is counted: it fails by itself', async () => {
  const target = new URL(`http://127.0.0.1:${await findClosedPort()}`);
  const sender = new Sender({ target, maxConnections: 1, timeoutMs: 60_000, maxResponseBytes: 1_000, insecure: false });
  const repeat = { sender, share: 1, build: () => ({ method: 'GET', path: '/a', headers: [], body: Buffer.alloc(0) }) };
  const sink = new CompareSink({}, repeat, new AbortController().signal);
  const response = message('HTTP/1.1 204 No Content');
  const targetResponses = [{ status: 204, reason: '', headers: [], body: Buffer.alloc(0), isCut: false, elapsedMs: 1 }];
  sink.take({
    id: 'c.0',
    request: message('GET /a HTTP/1.1'),
    response,
    sent: undefined,
    targetResponses: targetResponses,
    errors: [],
  });
  await sink.close();
  const { routes } = sink.comparison.report();
  expect(routes[0]).toMatchObject({ route: 'GET /a', repeats: 1 });
});

import type { ClientHttp2Session } from 'node:http2';
import { PassThrough } from 'node:stream';
import type { EngineHead, UpstreamEvents } from '../../proxy/data-plane/contract/streams';
import { Http2UpstreamStream } from '../../proxy/data-plane/http2/upstream';

/** Keeps what it is told, in order. */
function listener(notified: string[]): UpstreamEvents {
  return {
    informed: () => undefined,
    deviated: () => undefined,
    switched: () => undefined,
    responseStarted: ({ status }) => void notified.push(`began ${status}`),
    responseReceived: (bytes) => void notified.push(`received ${bytes.toString()}`),
    responseEnded: () => void notified.push('ended'),
    responseFlushed: () => undefined,
    upstreamDrained: () => undefined,
    upstreamFailed: (failure) => void notified.push(failure),
  };
}

// node:http2 tells of data at once and of a head in the next tick. Where both come in one read that is told within another
// of its callbacks (a read that waited for a write under way), the data is first: the client got 200 without a field, and a
// reset behind it.
test('a response of HTTP/2 whose body is reported before its head is passed on in order', async () => {
  const stream = Object.assign(new PassThrough(), { id: 1, rstCode: 0, close: () => undefined });
  const head: Partial<EngineHead> = { method: 'GET', url: '/', bodyLength: 0, field: () => undefined };
  const notified: string[] = [];
  const request = { head: head as EngineHead, url: '/', fields: 'host: shop\r\n' };
  const half = new Http2UpstreamStream(request, listener(notified), undefined);
  half.start({ request: () => stream } as unknown as ClientHttp2Session, 'https');
  stream.emit('data', Buffer.from('wh'));
  stream.emit('data', Buffer.from('ole'));
  stream.emit('response', { ':status': 200 }, 0, [':status', '200']);
  const ended = new Promise((resolve) => stream.once('end', resolve));
  stream.push(null);
  await ended;
  expect(notified).toEqual(['began 200', 'received wh', 'received ole', 'ended']);
});

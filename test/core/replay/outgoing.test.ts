import { buildOutgoing, opensTunnel } from '../../../core/replay/outgoing';
import { assemble, eom, part, read } from '../../support/recorded';

const request = (text: string) => assemble([part(0, [read(0, text), eom(0)])]).requests[0]!;
const plain = { host: 'target', paths: [], setHeaders: [], removeHeaders: [] };

test('a request is sent with what is its own, without what was of its connection', () => {
  const recorded = request(
    'POST /a?b=c HTTP/1.1\r\nHost: source\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-Two: 1\r\nX-Two: 2\r\nExpect: 100-continue\r\n' +
      'Transfer-Encoding: chunked\r\nX-Drainshift-Replay-Id: old\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  );
  expect(buildOutgoing(recorded, plain, '/base')).toEqual({
    ...{ method: 'POST', path: '/base/a?b=c', body: Buffer.from('abc') },
    headers: [
      ['Host', 'target'],
      ['X-Two', '1'],
      ['X-Two', '2'],
      ['X-Drainshift-Replay-Id', 'c.0'],
      ['Content-Length', '3'],
    ],
  });
});

test('paths, headers and the host are rewritten', () => {
  const recorded = request(
    'GET http://source/v1/a HTTP/1.1\r\nHost: source\r\nCookie: secret\r\nAuthorization: hash\r\n\r\n',
  );
  const rewrite = {
    paths: [{ from: '/v1/', to: '/v2/' }],
    setHeaders: [['authorization', 'Bearer t']] as const,
    removeHeaders: ['cookie'],
  };
  expect(buildOutgoing(recorded, rewrite, '')).toEqual({
    ...{ method: 'GET', path: '/v2/a', body: Buffer.alloc(0) },
    headers: [
      ['Host', 'source'],
      ['authorization', 'Bearer t'],
      ['X-Drainshift-Replay-Id', 'c.0'],
    ],
  });
  const hosted = buildOutgoing(recorded, { ...plain, setHeaders: [['Host', 'mine']] }, '');
  expect(hosted.headers.filter(([name]) => name === 'Host')).toEqual([['Host', 'mine']]);
});

test('what opens a tunnel is known', () => {
  expect(opensTunnel(request('GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n'))).toBe(true);
  expect(opensTunnel(request('GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n'))).toBe(false);
  expect(opensTunnel(request('CONNECT a:443 HTTP/1.1\r\n\r\n'))).toBe(true);
});

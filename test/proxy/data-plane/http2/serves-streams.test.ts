import { stopAll, until } from '../../support/world';
import { responseHead, respondWith, ask, connect, startSessions } from './support/sessions';

afterEach(stopAll);

test.each(['http', 'https'] as const)('a request and its response over %s', async (scheme) => {
  const { port, notified } = await startSessions({ isTls: scheme === 'https' });
  const session = await connect(port, scheme);
  const got = ask(
    session,
    {
      ':method': 'POST',
      ':path': '/a?b=c',
      ':authority': 'shop.example',
      cookie: ['a=1', 'b=2'],
      te: 'trailers',
      x: 'é',
    },
    'body',
  );
  await until(() => notified[0]?.trailers === '');
  const one = notified[0]!;
  expect(one.head).toMatchObject({ method: 'POST', url: '/a?b=c', httpVersion: '2', isTls: scheme === 'https' });
  expect(one.head).toMatchObject({ bodyLength: -1, takesTrailers: true, isGrpc: false, isUpgrade: false });
  expect(one.head.client).toEqual({ address: '127.0.0.1', port: session.socket.localPort });
  expect(one.head.block(undefined)).toBe('host: shop.example\r\nx: é\r\ncookie: a=1; b=2\r\n');
  expect(one.head.field('host')).toBe('shop.example');
  expect(one.head.headers).toEqual({ host: 'shop.example', cookie: 'a=1; b=2', te: 'trailers', x: 'é' });
  expect([one.upload, one.isSent]).toEqual(['body', false]);
  respondWith(one, 'answer', {
    status: 201,
    statedLength: 6,
    bodyLength: 6,
    fields: 'X-Two: 1\r\nx-two: 2\r\nSet-Cookie: q\r\n',
  });
  await until(() => got.code !== undefined);
  expect(got).toMatchObject({ status: 201, body: 'answer', isEnded: true, code: 0, trailers: {} });
  expect(got.headers).toMatchObject({ 'content-length': '6', 'x-two': '1, 2', 'set-cookie': ['q'] });
  await until(() => one.isSent);
  expect(one.isGone).toBe(false);
});

test('fields are replaced, added and removed', async () => {
  const { port, notified } = await startSessions();
  ask(await connect(port), { ':authority': 'a', 'x-old': '1', 'x-gone': '2', via: '1.1 b' });
  await until(() => notified.length === 1);
  const replaced = { 'x-old': ['new', 'er'], 'x-gone': undefined, 'x-more': '3', host: 'c' };
  expect(notified[0]!.head.block(replaced)).toBe('via: 1.1 b\r\nx-old: new\r\nx-old: er\r\nx-more: 3\r\nhost: c\r\n');
});

test.each([
  ['GET', undefined, {}, 0],
  ['POST', 'open', {}, -1],
  ['POST', 'abc', { 'content-length': 3 }, 3],
  ['POST', undefined, { 'content-length': 0 }, 0],
] as const)('%s with a body of %s: its length is known', async (method, body, fields, length) => {
  const { port, notified } = await startSessions();
  ask(await connect(port), { ':method': method, ...fields }, body);
  await until(() => notified.length === 1);
  expect(notified[0]!.head.bodyLength).toBe(length);
});

test('a stated length of 0 does not end a stream', async () => {
  const { port, notified } = await startSessions();
  const stream = (await connect(port)).request({ ':method': 'POST', 'content-length': 0 }, { waitForTrailers: true });
  stream.on('error', () => undefined);
  await until(() => notified.length === 1);
  expect(notified[0]!.head.bodyLength).toBe(-1);
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '0', 'proxy-status': 'a' }));
  stream.end();
  await until(() => notified[0]!.trailers !== undefined);
  // The same of them go on as in HTTP/1.1.
  expect(notified[0]!.trailers).toBe('x-sum: 0\r\n');
});

test('interim responses, where HTTP/2 can say them', async () => {
  const { port, notified } = await startSessions();
  const got = ask(await connect(port), { ':method': 'POST', expect: '100-continue' }, 'open');
  await until(() => notified.length === 1);
  const one = notified[0]!;
  expect(one.head.expectsContinue).toBe(true);
  one.client.inform(100, '');
  one.client.inform(102, 'x: y\r\n');
  one.client.inform(103, 'Link: </a>; rel=preload\r\nLink: </b>\r\n');
  await until(() => got.informed.length === 3);
  got.stream.end('body');
  await until(() => one.upload === 'body');
  respondWith(one, 'ok');
  one.client.inform(103, 'link: late\r\n');
  await until(() => got.code === 0);
  expect(got.informed).toMatchObject([
    { ':status': 100 },
    { ':status': 102, x: 'y' },
    { ':status': 103, link: '</a>; rel=preload, </b>' },
  ]);
});

test('trailers both ways; those that may not be there stay behind', async () => {
  const { port, notified } = await startSessions();
  const session = await connect(port);
  const stream = session.request({ ':method': 'POST', ':path': '/' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1', 'x-also': ['2', '3'], 'set-cookie': 'no' }));
  stream.on('error', () => undefined);
  stream.end('body');
  await until(() => notified[0]?.trailers !== undefined);
  expect(notified[0]!.trailers).toBe('x-sum: 1\r\nx-also: 2\r\nx-also: 3\r\n');
  stream.close();
  const got = ask(session, {});
  await until(() => notified.length === 2);
  respondWith(notified[1]!, 'body', {}, 'x-sum: 42\r\nX-Other: b\r\ncontent-length: 3\r\n');
  await until(() => got.code === 0);
  expect(Object.entries(got.trailers)).toEqual([
    ['x-sum', '42'],
    ['x-other', 'b'],
  ]);
});

test.each([
  ['HEAD', 200, { bodyLength: 0, statedLength: 1234 }, '1234'],
  ['GET', 204, { bodyLength: 0 }, undefined],
  ['GET', 304, { bodyLength: 0, statedLength: 99 }, '99'],
  ['GET', 200, { bodyLength: 0, statedLength: 0 }, '0'],
] as const)('%s responded to with %d has a head only', async (method, status, head, length) => {
  const { port, notified } = await startSessions();
  const got = ask(await connect(port), { ':method': method });
  await until(() => notified.length === 1);
  respondWith(notified[0]!, '', { status, ...head });
  await until(() => got.code !== undefined && notified[0]!.isSent);
  expect(got).toMatchObject({ status, body: '', isEnded: true, code: 0 });
  expect(got.headers['content-length']).toBe(length);
});

test('a response of our own, in the same call already', async () => {
  const response = { status: 503, headers: { 'Retry-After': '2', connection: 'close' }, body: 'full\n' };
  const { port, notified } = await startSessions({ begin: ({ client }) => client.respond(response) });
  const session = await connect(port);
  const got = ask(session, {});
  await until(() => got.code !== undefined);
  expect(got).toMatchObject({ status: 503, body: 'full\n', code: 0 });
  expect(got.headers).toMatchObject({
    'retry-after': '2',
    'content-length': '5',
    'content-type': /^text\/plain/ as never,
  });
  expect(got.headers.connection).toBeUndefined();
  const head = ask(session, { ':method': 'HEAD' });
  await until(() => head.code === 0);
  expect(head).toMatchObject({ status: 503, body: '' });
  expect(head.headers['content-length']).toBe('5');
  await until(() => notified.every(({ isSent }) => isSent));
});

test('an error of our own costs one stream', async () => {
  const { port, faults } = await startSessions({
    begin: ({ head, client }) => {
      if (head.url === '/bad') throw new Error('ours');
      client.respond({ status: 200 });
    },
  });
  const session = await connect(port);
  const bad = ask(session, { ':path': '/bad' });
  await until(() => bad.code === 2);
  expect(faults).toEqual([new Error('ours')]);
  const good = ask(session, {});
  await until(() => good.status === 200);
});

test('what HTTP/2 cannot say resets the stream, and the exchange hears of it', async () => {
  const { port, notified } = await startSessions();
  const got = ask(await connect(port), {});
  await until(() => notified.length === 1);
  notified[0]!.client.begin(responseHead({ status: 101 }));
  notified[0]!.client.write(Buffer.from('lost'));
  await until(() => got.code !== undefined && notified[0]!.isGone);
  expect(got).toMatchObject({ status: undefined, code: 2 });
});

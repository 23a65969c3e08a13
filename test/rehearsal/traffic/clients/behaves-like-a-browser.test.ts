import { CookieJar } from '../../../../rehearsal/traffic/clients/cookie-jar';
import { EventParser } from '../../../../rehearsal/traffic/transport/event-parser';
import { Histogram } from '../../../../rehearsal/traffic/counting/histogram';

describe('cookies', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');

  test('are sent back with the latest value', () => {
    const jar = new CookieJar();
    jar.take(['AWSALB=a==; Path=/', 'shop_session=1; HttpOnly'], '/', now);
    jar.take(['AWSALB=b; Path=/'], '/', now);
    expect(jar.header('/', now)).toEqual({ cookie: 'AWSALB=b; shop_session=1' });
  });

  test('are sent until they end, by Max-Age before Expires', () => {
    const jar = new CookieJar();
    const expires = 'Expires=Thu, 01 Jan 2026 00:01:00 GMT';
    jar.take([`AWSALBTG=a; ${expires}`, `AWSALB=b; Max-Age=10; ${expires}`], '/', now);
    expect(jar.header('/', now + 9_999)).toEqual({ cookie: 'AWSALBTG=a; AWSALB=b' });
    expect(jar.header('/', now + 10_000)).toEqual({ cookie: 'AWSALBTG=a' });
    expect(jar.header('/', now + 60_000)).toEqual({});
  });

  test('end at once when a server deletes them', () => {
    const jar = new CookieJar();
    jar.take(['a=1'], '/', now);
    jar.take(['a=; Max-Age=0'], '/', now);
    expect(jar.header('/', now)).toEqual({});
  });
});

describe('cookies of a path', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');

  test('are sent below it alone, the longest first, and one of another path deletes none', () => {
    const jar = new CookieJar();
    jar.take(['sid=1; Path=/', 'sid=2; path=/admin'], '/login', now);
    jar.take(['sid=; Path=/shop; Max-Age=0'], '/shop', now);
    const sent = (path: string) => jar.header(path, now).cookie;
    expect(['/', '/admin?a=/b', '/admin/x', '/administrator', '/shop'].map(sent)).toEqual([
      'sid=1',
      'sid=2; sid=1',
      'sid=2; sid=1',
      'sid=1',
      'sid=1',
    ]);
    jar.take(['sid=; Path=/admin; Max-Age=0'], '/', now);
    expect(sent('/admin')).toBe('sid=1');
    expect(jar.get('sid')).toBe('1');
  });

  test('without one are those of the directory of the request', () => {
    const jar = new CookieJar();
    jar.take(['a=1', 'b=2; Path=relative', 'c=3; Path'], '/shop/cart?next=/x/y', now);
    expect(['/shop', '/shop/other', '/', '/shopping'].map((path) => jar.header(path, now).cookie)).toEqual([
      'a=1; b=2; c=3',
      'a=1; b=2; c=3',
      undefined,
      undefined,
    ]);
  });

  test('are a session where the application set them, or the client came with one that is called so', () => {
    const jar = new CookieJar();
    jar.reset({ lang: 'de', AWSALB: 'x' });
    expect(jar.hasSession('/', now)).toBe(false);
    jar.take(['AWSALBTG=a; Path=/', 'cart=1; Path=/cart; Max-Age=10'], '/', now);
    expect([jar.hasSession('/', now), jar.hasSession('/cart', now)]).toEqual([false, true]);
    expect(jar.hasSession('/cart', now + 10_000)).toBe(false);
    jar.reset({ PHPSESSID: 'a' });
    expect(jar.hasSession('/', now)).toBe(true);
  });
});

describe('event streams', () => {
  const STREAM = ': hello\nretry: 300\n\nid: 1\ndata: é\n\nid: 2\r\ndata: a\r\ndata: b\r\n\r\nid: 3\ndata: cut';
  const EVENTS = [
    { id: '1', data: 'é' },
    { id: '2', data: 'a\nb' },
  ];

  test.each([1, 2, 3, 7, 1000])('are the same in chunks of %d bytes, and half an event is none', (size) => {
    const bytes = Buffer.from(STREAM);
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < bytes.length; at += size) events.push(...parser.take(bytes.subarray(at, at + size)));
    expect(events).toEqual(EVENTS);
    expect(parser.endsInside()).toBe(true);
  });

  test.each([
    ['', false],
    ['id: 1\ndata: a\n\n', false],
    ['id: 1\ndata: a\n\n: still here\n', false],
    ['id: 1\ndata: a\n\nid: 2\n', true],
    ['id: 1\ndata: a\n\ni', true],
    [Buffer.from('é').subarray(0, 1), true],
  ])('that end after %j end inside an event: %s', (text, isInside) => {
    const parser = new EventParser();
    parser.take(Buffer.from(text));
    expect(parser.endsInside()).toBe(isInside);
  });
});

test('a histogram that was cleared knows nothing of before', () => {
  const histogram = new Histogram();
  histogram.add(1000);
  histogram.clear();
  expect(histogram.quantile(0.99)).toBe(0);
  histogram.add(1);
  expect(histogram.quantile(0.99)).toBeLessThan(2);
});

test('quantiles are exact to 5 %', () => {
  const histogram = new Histogram();
  expect(histogram.quantile(0.5)).toBe(0);
  for (let ms = 1; ms <= 1000; ms += 1) histogram.add(ms);
  for (const [share, exact] of [
    [0.5, 500],
    [0.99, 990],
    [1, 1000],
  ] as const) {
    expect(histogram.quantile(share)).toBeGreaterThanOrEqual(exact);
    expect(histogram.quantile(share)).toBeLessThanOrEqual(exact * 1.05 + 0.1);
  }
});

import dgram from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { Addresses, heldMs, lookupName } from '../../../../proxy/data-plane/shared/addresses';
import { later, stopAll } from '../../support/world';

afterEach(stopAll);

test.each([
  ['the time to live that the DNS says', { addresses: ['192.0.2.1'], ttlMs: 12_000 }, 12_000],
  ['no shorter than a second', { addresses: ['192.0.2.1'], ttlMs: 0 }, 1_000],
  ['no longer than half a minute', { addresses: ['192.0.2.1'], ttlMs: 3_600_000 }, 30_000],
  ['five seconds where no one says', { addresses: ['192.0.2.1'], ttlMs: undefined }, 5_000],
  ['a second after a lookup that failed', undefined, 1_000],
])('addresses hold for %s', (_, looked, ms) => {
  expect(heldMs(looked)).toBe(ms);
});

/** A server of names that knows one address of every name. */
async function startDns(address: string, ttlSeconds: number): Promise<Resolver> {
  const server = dgram.createSocket('udp4');
  server.on('message', (query, { port }) => {
    const prompt = query.subarray(12, query.indexOf(0, 12) + 5);
    const isA = prompt.readUInt16BE(prompt.length - 4) === 1;
    const head = Buffer.from([0, 0, 0x81, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0]);
    query.copy(head, 0, 0, 2);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, ttlSeconds, 0, 4, ...address.split('.').map(Number)]);
    server.send(Buffer.concat([head, prompt, ...(isA ? [record] : [])]), port);
  });
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  later(() => void server.close());
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([`127.0.0.1:${server.address().port}`]);
  return resolver;
}

test('a name means what this machine says, for as long as the DNS says of the same address', async () => {
  const agrees = await lookupName('localhost', await startDns('127.0.0.1', 7));
  expect(agrees.addresses).toContain('127.0.0.1');
  expect(agrees.ttlMs).toBe(7_000);
  const differs = await lookupName('localhost', await startDns('192.0.2.1', 7));
  expect(differs.addresses).not.toContain('192.0.2.1');
  expect(differs.ttlMs).toBeUndefined();
});

test('an upstream that is given by its address is never looked up', () => {
  const add = jest.fn();
  const lookup = jest.fn();
  const addresses = new Addresses('192.0.2.1', {
    lookup,
    ticker: { nowMs: 0, read: () => 0, add },
    noticed: undefined,
  });
  expect([addresses.isName, addresses.next(), addresses.order('192.0.2.1')]).toEqual([
    false,
    '192.0.2.1',
    ['192.0.2.1'],
  ]);
  expect([add.mock.calls, lookup.mock.calls]).toEqual([[], []]);
});

test('addresses that failed a moment ago come last, and in turn again when no other one is left', async () => {
  const ticker = { nowMs: 0, read: () => 0, add: () => undefined };
  const lookup = () => Promise.resolve({ addresses: ['192.0.2.1', '192.0.2.2', '192.0.2.3'], ttlMs: undefined });
  const addresses = new Addresses('app.test', { lookup, ticker, noticed: undefined });
  await new Promise((resolve) => addresses.whenKnown(resolve));
  addresses.avoid('192.0.2.2');
  expect([1, 2, 3, 4].map(() => addresses.next())).toEqual(['192.0.2.3', '192.0.2.1', '192.0.2.3', '192.0.2.1']);
  expect(addresses.order('192.0.2.1')).toEqual(['192.0.2.1', '192.0.2.3', '192.0.2.2']);
  addresses.avoid('192.0.2.1');
  addresses.avoid('192.0.2.3');
  expect(new Set([1, 2, 3].map(() => addresses.next())).size).toBe(3);
  ticker.nowMs = 10_001;
  expect(new Set([1, 2, 3].map(() => addresses.next())).size).toBe(3);
});

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { TicketKeys, useTicketKeys } from '../../../../proxy/data-plane/shared/ticket-keys';
import { later, selfSigned, stopAll } from '../../support/world';

const HOUR = 3_600_000;
/** The beginning of a period. */
const START = 12 * HOUR * 40_000;
afterEach(stopAll);

test('a key is used for 12 hours, read for as many more, and forgotten then', () => {
  const keys = TicketKeys.draw(START);
  const first = keys.at(START);
  expect(keys.at(START + 12 * HOUR - 1)).toEqual(first);
  const second = keys.at(START + 12 * HOUR);
  expect(second.name).not.toEqual(first.name);
  expect(keys.find(first.name, START + 23 * HOUR)).toEqual({ key: first, isCurrent: false });
  expect(keys.find(second.name, START + 23 * HOUR)).toEqual({ key: second, isCurrent: true });
  expect(keys.find(first.name, START + 24 * HOUR)).toBeUndefined();
  // A clock that is set back turns nothing back.
  expect(keys.find(first.name, START)).toBeUndefined();
  const parts = [first, second]
    .flatMap(({ name, mac, cipher }) => [name, mac, cipher])
    .map((part) => part.toString('hex'));
  expect(new Set(parts).size).toBe(6);
});

test('processes that have the same keys have the same ones at every later time, whenever they got them', () => {
  const first = TicketKeys.draw(START);
  const at = (hours: number) => START + hours * HOUR;
  const early = TicketKeys.unpack(first.pack(at(1)), at(1));
  const late = TicketKeys.unpack(first.pack(at(30)), at(31));
  const never = TicketKeys.unpack(early.pack(at(2)), at(300));
  for (const hours of [300, 312, 500]) {
    const all = [first, early, late, never].map((keys) => keys.at(at(hours)));
    for (const key of all) expect(key).toEqual(all[0]);
  }
  expect(TicketKeys.draw(START).at(START)).not.toEqual(TicketKeys.draw(START).at(START));
});

test.each<[string, Buffer | undefined]>([
  ['nothing', undefined],
  ['too little', Buffer.alloc(3)],
  ['a time to come', Buffer.alloc(48, 0xff)],
  ['a time long ago', Buffer.alloc(48)],
])('what is none of our keys gives way to new ones: %s', (_, packed) => {
  const key = TicketKeys.unpack(packed, START).at(START);
  expect(key.name).toHaveLength(16);
  expect(TicketKeys.unpack(packed, START).at(START)).not.toEqual(key);
});

test.each(['TLSv1.3', 'TLSv1.2'] as const)(
  'a server resumes sessions of the key before, and of none before that: %s',
  async (version) => {
    const clock = { nowMs: START };
    const server = tls.createServer({ ...(await selfSigned()), sessionTimeout: 10 * 86_400 }, (socket) => {
      socket.on('error', () => undefined);
      socket.end('hello');
    });
    useTicketKeys(server, TicketKeys.draw(START), () => clock.nowMs);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    later(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const connect = async (session?: Buffer) => {
      const client = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion: version, session });
      let ticket = session;
      client.on('session', (given: Buffer) => (ticket = given));
      client.resume();
      await once(client, 'secureConnect');
      const isResumed = client.isSessionReused();
      client.resume();
      await once(client, 'close');
      return { isResumed, ticket };
    };
    const first = await connect();
    expect(first.isResumed).toBe(false);
    expect((await connect(first.ticket)).isResumed).toBe(true);
    clock.nowMs += 13 * HOUR;
    const second = await connect(first.ticket);
    expect(second.isResumed).toBe(true);
    clock.nowMs += 12 * HOUR;
    expect((await connect(first.ticket)).isResumed).toBe(false);
    // It was given a ticket of the key of its time; a client of Node's does not report one that TLS 1.2 renews.
    if (version === 'TLSv1.3') expect((await connect(second.ticket)).isResumed).toBe(true);
  },
);

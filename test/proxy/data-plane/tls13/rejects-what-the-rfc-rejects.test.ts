import { CONTENT } from '../../../../proxy/data-plane/tls13/record-layer/records';
import { SUITES } from '../../../../proxy/data-plane/tls13/record-layer/traffic-keys';
import { until } from '../../../support/until';
import { HandClient, Pair, closePairs, connectPair } from './support/pair';

afterAll(closePairs);

const { alert, handshake } = CONTENT;
const KEY_UPDATE = Buffer.from([24, 0, 0, 1, 0]);

/** `bytes` come, and that alert (RFC 8446 section 6) is what the client gets. */
type Violation = readonly [what: string, alert: number, bytes: (client: HandClient) => Buffer | readonly Buffer[]];

const header = (type: number, length: number) => Buffer.from([type, 3, 3, length >> 8, length & 255]);

const VIOLATIONS: readonly Violation[] = [
  ['a change of the cipher after the handshake', 10, () => Buffer.from([20, 3, 3, 0, 1, 1])],
  ['an alert without protection', 10, () => Buffer.from([21, 3, 3, 0, 2, 1, 0])],
  ['a message of the handshake without protection', 10, () => Buffer.concat([header(22, 5), KEY_UPDATE])],
  ['HTTP', 10, () => Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['a record over the limit', 22, () => header(23, 16_384 + 257)],
  ['content over the limit', 22, (client) => client.sealInner(Buffer.alloc(16_384 + 2, 23))],
  [
    'padding over the limit',
    22,
    (client) => client.sealInner(Buffer.concat([Buffer.from('x\x17'), Buffer.alloc(16_384)])),
  ],
  ['a record shorter than its tag', 20, () => Buffer.concat([header(23, 15), Buffer.alloc(15)])],
  ['an empty record', 20, () => header(23, 0)],
  ['a record without a type', 10, (client) => client.sealInner(Buffer.alloc(20))],
  ['a record without content or a type', 10, (client) => client.sealInner(Buffer.alloc(0))],
  ['a record of the type change_cipher_spec', 10, (client) => client.seal(Buffer.from([1]), 20)],
  ['a record of an unknown type', 10, (client) => client.seal('x', 99)],
  ['an empty alert', 50, (client) => client.seal('', alert)],
  ['half an alert', 50, (client) => client.seal(Buffer.from([1]), alert)],
  ['two alerts in a record', 50, (client) => client.seal(Buffer.from([1, 90, 1, 90]), alert)],
  ['an empty record of the handshake', 10, (client) => client.seal('', handshake)],
  ['a ClientHello: a renegotiation', 10, (client) => client.seal(Buffer.from([1, 0, 0, 2, 3, 3]), handshake)],
  ['a NewSessionTicket', 10, (client) => client.seal(Buffer.from([4, 0, 0, 2, 0, 0]), handshake)],
  ['a Certificate that was not asked for', 10, (client) => client.seal(Buffer.from([11, 0, 0, 1, 0]), handshake)],
  ['a Finished', 10, (client) => client.seal(Buffer.from([20, 0, 0, 1, 0]), handshake)],
  ['a KeyUpdate without a body', 50, (client) => client.seal(Buffer.from([24, 0, 0, 0]), handshake)],
  ['a KeyUpdate with a long body', 50, (client) => client.seal(Buffer.from([24, 0, 0, 2, 0, 0]), handshake)],
  ['a KeyUpdate as long as it can say', 50, (client) => client.seal(Buffer.from([24, 255, 255, 255]), handshake)],
  ['a KeyUpdate that asks for 2', 47, (client) => client.seal(Buffer.from([24, 0, 0, 1, 2]), handshake)],
  ['two KeyUpdates in a record', 10, (client) => client.seal(Buffer.concat([KEY_UPDATE, KEY_UPDATE]), handshake)],
  [
    'data within a message of the handshake',
    10,
    (client) => [client.seal(KEY_UPDATE.subarray(0, 3), handshake), client.seal('x')],
  ],
  [
    'an alert within a message of the handshake',
    10,
    (client) => [client.seal(KEY_UPDATE.subarray(0, 3), handshake), client.seal(Buffer.from([1, 0]), alert)],
  ],
  ['33 empty records in a row', 10, (client) => Array.from({ length: 33 }, () => client.seal(''))],
  [
    '33 KeyUpdates without data',
    10,
    (client) =>
      Array.from({ length: 33 }, () => {
        const record = client.seal(KEY_UPDATE, handshake);
        client.write.update();
        return record;
      }),
  ],
  ['a record of the key before', 20, (client) => [client.seal(KEY_UPDATE, handshake), client.seal('x')]],
];

/** The connection has ended for both, and the client knows why. */
async function fails({ client, transport, user }: Pair, number: number): Promise<void> {
  await until(() => user.calls.includes('close') && client.hasEnded);
  expect([client.alerts, transport.isDestroyed, transport.hasFailed]).toEqual([[number], true, true]);
  expect(user.error).toMatchObject({ code: 'ERR_TLS13_FAULT' });
  expect(user.calls.filter((call) => call === 'close')).toEqual(['close']);
  transport.write('nothing leaves any more');
  transport.end();
}

test.each(VIOLATIONS)('%s: alert %i', async (_, number, bytes) => {
  const pair = await connectPair();
  pair.client.socket.write(Buffer.concat([bytes(pair.client)].flat()));
  await fails(pair, number);
  expect(pair.user.text).toBe('');
});

test('the alert arrives though the client goes on sending, and what it sends then reaches no user', async () => {
  const pair = await connectPair();
  pair.client.send('right, ');
  pair.client.socket.write(Buffer.concat([pair.client.seal('').fill(0, 5), Buffer.alloc(3_000_000)]));
  await until(() => pair.user.calls.includes('close'));
  pair.client.send('more');
  await fails(pair, 20);
  expect(pair.user.text).toBe('right, ');
});

test.each([
  ['a fatal one', [2, 40], 40],
  ['one that calls itself a warning', [1, 80], 80],
  ['an unknown one', [2, 255], 255],
] as const)("the client's alert ends the connection without a word: %s", async (_, bytes, number) => {
  const { client, user } = await connectPair();
  client.send(Buffer.from(bytes), alert);
  await until(() => user.calls.includes('close'));
  expect(user.error).toMatchObject({ code: 'ERR_TLS13_ALERT', alert: number });
  await until(() => client.hasEnded || client.socket.destroyed);
  expect([client.alerts, user.calls]).toEqual([[], ['close']]);
});

test('user_canceled ends nothing by itself', async () => {
  const { client, user } = await connectPair();
  client.send(Buffer.from([1, 90]), alert);
  client.send('x');
  await until(() => user.text === 'x');
});

/** A small generator of its own (mulberry32): a seed that found something finds it again. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Damage = (records: Buffer[], at: number, next: (below: number) => number) => void;

/** What may happen on the way from `at` on. */
const DAMAGES: Record<string, Damage> = {
  flip: (records, at, next) => {
    const record = records[at]!;
    record[next(record.length)]! ^= 1 << next(8);
  },
  cut: (records, at, next) => {
    const record = records[at]!;
    records[at] = record.subarray(0, next(record.length));
  },
  insert: (records, at, next) => {
    records.splice(at, 0, Buffer.from(Array.from({ length: 1 + next(30) }, () => next(256))));
  },
  swap: (records, at) => {
    [records[at], records[at + 1]] = [records[at + 1]!, records[at]!];
  },
  double: (records, at) => void records.splice(at + 1, 0, records[at]!),
  drop: (records, at) => void records.splice(at, 1),
};

test.each(Object.entries(DAMAGES))('%s: nothing wrong reaches the user, and the connection ends', async (_, damage) => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const next = random(seed);
    const pair = await connectPair({ suite: SUITES[seed % 3]! });
    const texts = Array.from({ length: 8 }, (__, n) => `${n}${'abc'.repeat(next(30))};`);
    const records = texts.map((text) => pair.client.seal(text));
    const at = next(texts.length - 1);
    damage(records, at, next);
    let rest = Buffer.concat(records);
    while (rest.length > 0) {
      const length = 1 + next(rest.length);
      pair.client.socket.write(rest.subarray(0, length));
      rest = rest.subarray(length);
      if (next(2) === 0) await new Promise(setImmediate);
    }
    pair.client.socket.end();
    await until(() => pair.user.calls.includes('close'));
    // A damaged length may have the record wait for bytes that never come.
    const { code } = pair.user.error as NodeJS.ErrnoException;
    const last = damage === DAMAGES.double ? at + 1 : at;
    expect(['ERR_TLS13_FAULT', 'ERR_TLS13_TRUNCATED']).toContain(code);
    expect([seed, pair.user.text]).toEqual([seed, texts.slice(0, last).join('')]);
    for (const number of pair.client.alerts) expect([10, 20, 22]).toContain(number);
  }
});

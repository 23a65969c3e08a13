import { inspect } from 'node:util';
import { SUITES } from '../../../../proxy/data-plane/tls13/record-layer/traffic-keys';
import { CONTENT, sealRecord } from '../../../../proxy/data-plane/tls13/record-layer/records';
import { until } from '../../../support/until';
import { closePairs, connectPair } from './support/pair';

afterAll(closePairs);

const KEY_UPDATE = Buffer.from([24, 0, 0, 1, 0]);
const KEY_UPDATE_BOTH = Buffer.from([24, 0, 0, 1, 1]);
const CLOSE_NOTIFY = Buffer.from([1, 0]);

test.each(SUITES.map((suite) => [suite.name, suite] as const))(
  '%s: text and bytes pass both ways',
  async (_, suite) => {
    const { client, transport, user } = await connectPair({ suite });
    client.send('from the client');
    await until(() => user.text === 'from the client');
    transport.write('text \u00e4 ');
    transport.writeBytes(Buffer.from('bytes '));
    transport.writeBytes(Buffer.from('behind'), 'text before bytes ');
    transport.write('');
    await until(() => client.text === 'text \u00e4 bytes text before bytes behind');
    expect(client.received.length).toBe(3);
  },
);

describe('records', () => {
  test('long writes are cut into records of 2^14 bytes, or of what the client takes', async () => {
    for (const maxContentBytes of [16_384, 512]) {
      const { client, transport } = await connectPair({ left: () => ({ maxContentBytes }) });
      const long = 'abcdefghij'.repeat(20_000);
      transport.write(long);
      transport.writeBytes(Buffer.from(long), long);
      await until(() => client.text.length === 3 * long.length);
      expect(client.text === long.repeat(3)).toBe(true);
      expect(Math.max(...client.received.map(({ content }) => content.length))).toBe(maxContentBytes);
    }
  });

  test('a read with many records, and a record that comes byte by byte, are as one', async () => {
    const { client, user } = await connectPair();
    const all = Array.from({ length: 100 }, (_, n) => client.seal(`${n},`));
    client.socket.write(Buffer.concat(all));
    await until(() => user.text.endsWith('99,'));
    expect(user.text).toBe(Array.from({ length: 100 }, (_, n) => `${n},`).join(''));
    const before = user.calls.length;
    client.socket.setNoDelay(true);
    for (const byte of client.seal('one by one'))
      await new Promise((sent) => client.socket.write(Buffer.from([byte]), sent));
    await until(() => user.text.endsWith('one by one'));
    expect(user.calls.length).toBe(before + 1);
  });

  test('records of every length up to the limit, padded or not, are opened', async () => {
    const { client, user } = await connectPair();
    const longest = 'x'.repeat(16_384);
    client.send(longest);
    // The type comes before the padding.
    client.send(Buffer.concat([Buffer.from([...Buffer.from('padded'), CONTENT.applicationData]), Buffer.alloc(99)]), 0);
    client.send('');
    client.send('last');
    await until(() => user.text === `${longest}paddedlast`);
  });

  test('what the process before has read comes first', async () => {
    const { client, user } = await connectPair({
      left: (keys) => {
        const unopened = Buffer.alloc(27);
        sealRecord(keys, CONTENT.applicationData, '2nd, ', unopened, 0);
        return { plaintext: Buffer.from('1st, '), unopened };
      },
    });
    client.send('3rd');
    await until(() => user.text === '1st, 2nd, 3rd');
  });

  test('a record of which the process before has read a part is completed', async () => {
    let rest = Buffer.alloc(0);
    const { client, user } = await connectPair({
      left: (keys) => {
        const record = Buffer.alloc(22 + 5);
        sealRecord(keys, CONTENT.applicationData, 'whole', record, 0);
        rest = record.subarray(8);
        return { unopened: Buffer.from(record.subarray(0, 8)) };
      },
    });
    client.socket.write(rest);
    await until(() => user.text === 'whole');
  });
});

describe('a pause', () => {
  test('is kept between two records of one read, and nothing is lost or doubled behind it', async () => {
    const { client, transport, user } = await connectPair();
    const texts = Array.from({ length: 50 }, (_, n) => `${n};`);
    user.onText = () => transport.pause();
    client.socket.end(
      Buffer.concat([...texts.map((text) => client.seal(text)), client.seal(CLOSE_NOTIFY, CONTENT.alert)]),
    );
    for (let n = 1; n <= texts.length; n += 1) {
      await until(() => user.calls.length === n);
      expect([user.text, transport.isPaused]).toEqual([texts.slice(0, n).join(''), true]);
      transport.resume();
    }
    await until(() => user.calls.at(-1) === 'end');
    expect(user.calls.length).toBe(texts.length + 1);
  });

  test('that ends within the call changes nothing', async () => {
    const { client, transport, user } = await connectPair();
    user.onText = () => {
      transport.pause();
      transport.resume();
    };
    client.socket.write(Buffer.concat(['a', 'b', 'c'].map((text) => client.seal(text))));
    await until(() => user.text === 'abc');
  });
});

test('a client that does not read pushes back, and gets all when it does', async () => {
  const { client, transport, user } = await connectPair();
  client.socket.pause();
  const piece = 'p'.repeat(100_000);
  let pieces = 0;
  while (!transport.isBackedUp) {
    if (pieces % 2 === 0) transport.write(piece);
    else transport.writeBytes(Buffer.from(piece));
    pieces += 1;
  }
  // More writes while one is in flight, of all kinds.
  transport.write('x');
  transport.writeBytes(Buffer.from('y'), 'z');
  expect([transport.hasPending, transport.pendingBytes > 0, user.calls]).toEqual([true, true, []]);
  client.socket.resume();
  await until(() => client.text.length === pieces * piece.length + 3);
  await until(() => user.calls.includes('drain'));
  expect([transport.isBackedUp, client.text.endsWith('xzy')]).toEqual([false, true]);
});

describe('ends', () => {
  test('of the client: by close_notify; we may still write, and end', async () => {
    const { client, transport, user } = await connectPair();
    client.send('last');
    client.send(CLOSE_NOTIFY, CONTENT.alert);
    client.send('ignored');
    await until(() => user.calls.length === 2);
    transport.write('response');
    transport.end();
    transport.write('too late');
    await until(() => client.hasEnded);
    client.socket.end();
    await until(() => user.calls.includes('close'));
    expect([user.text, user.calls, user.error]).toEqual(['last', ['data', 'end', 'close'], undefined]);
    expect([client.text, client.alerts]).toEqual(['response', [0]]);
  });

  test('of a client that keeps its TCP connection open behind close_notify', async () => {
    const { client, transport, user } = await connectPair();
    transport.end();
    client.send(CLOSE_NOTIFY, CONTENT.alert);
    await until(() => user.calls.includes('close'));
    expect([user.calls, user.error, client.alerts]).toEqual([['end', 'close'], undefined, [0]]);
  });

  test('of ours first: what comes then is still read', async () => {
    const { client, transport, user } = await connectPair();
    transport.end();
    await until(() => client.hasEnded);
    client.send('more');
    client.send(KEY_UPDATE_BOTH, CONTENT.handshake);
    client.write.update();
    client.send(' and more');
    client.send(CLOSE_NOTIFY, CONTENT.alert);
    client.socket.end();
    await until(() => user.calls.includes('close'));
    expect([user.text, user.error, client.handshakes]).toEqual(['more and more', undefined, []]);
  });

  test('of a TCP connection without close_notify is an end between two records, and an error within one', async () => {
    const whole = await connectPair();
    whole.client.socket.end(whole.client.seal('all'));
    await until(() => whole.user.calls.includes('end'));
    expect([whole.user.text, whole.user.error]).toEqual(['all', undefined]);
    const cut = await connectPair();
    cut.client.socket.end(cut.client.seal('part').subarray(0, 20));
    await until(() => cut.user.calls.includes('close'));
    expect([cut.user.text, cut.user.calls, cut.user.error]).toMatchObject([
      '',
      ['close'],
      { code: 'ERR_TLS13_TRUNCATED' },
    ]);
  });

  test('of both at once: close says so to the client', async () => {
    const { client, transport, user } = await connectPair();
    transport.write('last');
    transport.close();
    await until(() => client.hasEnded && user.calls.includes('close'));
    expect([client.text, client.alerts, user.calls, user.error]).toEqual(['last', [0], ['close'], undefined]);
  });

  test('destroy and reset call onClose once, later', async () => {
    for (const kind of ['destroy', 'reset'] as const) {
      const { client, transport, user } = await connectPair();
      client.send('x');
      await until(() => user.text === 'x');
      transport[kind]();
      transport[kind]();
      expect([user.calls, transport.isDestroyed]).toEqual([['data'], true]);
      await until(() => user.calls.includes('close'));
      expect(user.calls).toEqual(['data', 'close']);
    }
  });
});

describe('key updates', () => {
  test("of the client's, with and without a wish for ours", async () => {
    const { client, transport, user } = await connectPair();
    for (let n = 0; n < 5; n += 1) {
      client.send(KEY_UPDATE, CONTENT.handshake);
      client.write.update();
      client.send(`${n}`);
      client.send(KEY_UPDATE_BOTH, CONTENT.handshake);
      client.write.update();
      client.send(`${n},`);
      await until(() => user.text.endsWith(`${n},`));
      transport.write(`${n}`);
    }
    await until(() => client.text === '01234');
    expect(user.text).toBe('00,11,22,33,44,');
    expect(client.handshakes).toEqual(Array.from({ length: 5 }, () => KEY_UPDATE.toString('hex')));
  });

  test('in pieces', async () => {
    const { client, user } = await connectPair();
    for (const byte of KEY_UPDATE) client.send(Buffer.from([byte]), CONTENT.handshake);
    client.write.update();
    client.send('new');
    await until(() => user.text === 'new');
  });

  test('that are asked for while nothing more can be written are one', async () => {
    const { client, transport, user } = await connectPair();
    client.socket.pause();
    // More than the kernel ever holds of a connection.
    const piece = 'p'.repeat(1_000_000);
    let sent = 0;
    for (; sent < 32 * piece.length; sent += piece.length) transport.write(piece);
    for (let n = 0; n < 20; n += 1) {
      client.send(KEY_UPDATE_BOTH, CONTENT.handshake);
      client.write.update();
    }
    client.send('x');
    await until(() => user.text === 'x');
    client.socket.resume();
    await until(() => client.handshakes.length > 0);
    transport.write('y');
    await until(() => client.text.length === sent + 1);
    expect(client.handshakes).toEqual([KEY_UPDATE.toString('hex')]);
  });

  test('of both directions come before a key is worn out', async () => {
    const { client, transport, user } = await connectPair({ maxKeyRecords: 10, sequence: 0 });
    for (let n = 0; n < 25; n += 1) transport.write(`${n},`);
    await until(() => client.text.endsWith('24,'));
    // The keys had protected 5 records already.
    expect(client.handshakes.length).toBe(2);
    for (let n = 0; n < 9; n += 1) client.send('.');
    await until(() => user.text.length === 9);
    expect(client.handshakes.length).toBe(2);
    client.send('.');
    client.send('.');
    await until(() => client.handshakes.length === 3);
    expect(client.handshakes.at(-1)).toBe(KEY_UPDATE_BOTH.toString('hex'));
    client.send(KEY_UPDATE, CONTENT.handshake);
    client.write.update();
    for (let n = 0; n < 9; n += 1) client.send('.');
    await until(() => user.text.length === 20);
    expect(client.handshakes.length).toBe(3);
  });
});

test('a stream of Node goes on with a transport that was given up', async () => {
  const { client, transport, user } = await connectPair();
  client.send('first ');
  await until(() => user.text === 'first ');
  const stream = transport.giveUp(Buffer.from('first '));
  let text = '';
  stream.setEncoding('latin1').on('data', (piece: string) => (text += piece));
  client.send('second');
  await until(() => text === 'first second');
  stream.end('response');
  await until(() => client.hasEnded);
  expect([client.text, client.alerts, stream.remotePort]).toEqual(['response', [0], client.socket.localPort]);
  client.socket.end(client.seal(CLOSE_NOTIFY, CONTENT.alert));
  await until(() => stream.destroyed);
});

test('nothing that prints or serialises a transport shows a secret, and its secrets are wiped with it', async () => {
  const { client, transport, user } = await connectPair();
  client.send('x');
  await until(() => user.text === 'x');
  const shown = inspect(transport, { depth: 10, showHidden: true }) + inspect(client.write, { showHidden: true });
  expect(shown).not.toMatch(/01 01 01 01|02 02 02 02/);
  expect(Object.keys(client.write)).toEqual(['suite', 'sequence']);
  const secret = Buffer.alloc(32);
  client.write.copySecret(secret, 0);
  expect(secret[31]).toBe(1);
  client.write.wipe();
  client.write.copySecret(secret, 0);
  expect(secret.every((byte) => byte === 0)).toBe(true);
});

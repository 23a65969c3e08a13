import { createHash } from 'node:crypto';
import { liveIn, stopAll, until } from '../../support/world';
import { Stand, expectServes, head, startStand } from './support/rejections';
import { RawClient, findField, send } from './support/raw-client';
import { OK, startUpstream } from './support/raw-upstream';

afterEach(stopAll);

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
const LINES = [
  'Host: a',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${KEY}`,
];

/** A handshake with one line replaced, or taken away. */
function handshake(changes: Readonly<Record<string, string>> = {}, line = 'GET /ws HTTP/1.1'): string {
  const lines = LINES.map((each) => changes[each.split(':')[0]!.toLowerCase()] ?? each);
  return head(line, ...lines.filter((each) => each !== ''), ...(changes.more === undefined ? [] : [changes.more]));
}

const SWITCH = head(
  'HTTP/1.1 101 Switching Protocols',
  'Connection: Upgrade',
  'Upgrade: websocket',
  `Sec-WebSocket-Accept: ${ACCEPT}`,
);

async function startSwitching(response: string): Promise<Stand> {
  const upstream = await startUpstream(({ target }, connection) => {
    if (target === '/sentinel') return OK;
    // What comes from here on is no HTTP.
    if (response.startsWith('HTTP/1.1 101')) connection.isSwitched = true;
    return response;
  });
  return startStand({}, upstream);
}

test.each([
  ['another version', handshake({ 'sec-websocket-version': 'Sec-WebSocket-Version: 8' })],
  ['no version', handshake({ 'sec-websocket-version': '' })],
])('426 with the version that would do: %s', async (_, bytes) => {
  const stand = await startSwitching(SWITCH);
  const client = await send(stand.engine.port, bytes);
  const [response] = await client.responds();
  expect(response?.status).toBe(426);
  expect(findField(response, 'sec-websocket-version')).toBe('13');
  await expectServes(stand);
  expect(stand.upstream.targets).toEqual(['/sentinel']);
});

test.each([
  ['no key', handshake({ 'sec-websocket-key': '' })],
  ['a short key', handshake({ 'sec-websocket-key': 'Sec-WebSocket-Key: c2hvcnQ=' })],
  ['a long key', handshake({ 'sec-websocket-key': `Sec-WebSocket-Key: ${'A'.repeat(24)}` })],
  ['a key that is no base64', handshake({ 'sec-websocket-key': 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!!==' })],
  ['a key with bits behind its end', handshake({ 'sec-websocket-key': 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==' })],
  ['two keys', handshake({ more: `Sec-WebSocket-Key: ${KEY}` })],
  ['two versions', handshake({ more: 'Sec-WebSocket-Version: 8' })],
  ['a body with a length', `${handshake({ more: 'Content-Length: 5' })}hello`],
  ['a body in chunks', `${handshake({ more: 'Transfer-Encoding: chunked' })}0\r\n\r\n`],
  ['another method', handshake({}, 'POST /ws HTTP/1.1')],
])('refused: %s', async (_, bytes) => {
  const stand = await startSwitching(SWITCH);
  const client = await send(stand.engine.port, bytes);
  expect([400, 426]).toContain((await client.statuses())[0]);
  await expectServes(stand);
  expect(stand.upstream.targets).toEqual(['/sentinel']);
});

test.each([
  ['HTTP/1.0', handshake({}, 'GET /ws HTTP/1.0')],
  ['Connection does not name it', handshake({ connection: 'Connection: keep-alive' })],
  ['Connection is missing', handshake({ connection: '' })],
])('no switch is asked of the upstream: %s', async (_, bytes) => {
  const stand = await startSwitching(OK);
  const client = await send(stand.engine.port, bytes);
  expect([200, 400]).toContain((await client.statuses())[0]);
  for (const { fields } of stand.upstream.requests) {
    expect(fields.map(([name]) => name)).not.toContain('upgrade');
    expect(fields.filter(([name]) => name === 'connection').join()).not.toMatch(/upgrade/i);
  }
  await expectServes(stand);
});

test.each([
  ['a wrong Accept', SWITCH.replace(ACCEPT, 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=')],
  ['an Accept of other letters', SWITCH.replace(ACCEPT, ACCEPT.toUpperCase())],
  ['no Accept', SWITCH.replace(/Sec-WebSocket-Accept: .*\r\n/, '')],
  ['two Accepts', SWITCH.replace('Upgrade: websocket', `Upgrade: websocket\r\nSec-WebSocket-Accept: ${ACCEPT}`)],
  ['another protocol', SWITCH.replace('websocket', 'h2c')],
  ['no protocol', SWITCH.replace('Upgrade: websocket\r\n', '')],
])('502 for a 101 with %s, and no tunnel', async (_, response) => {
  const stand = await startSwitching(`${response}tunnel`);
  const client = await send(stand.engine.port, handshake());
  const [got] = await client.responds();
  expect(got?.status).toBe(502);
  expect(client.received).not.toContain('tunnel');
  await stand.upstream.when(({ connections }) => connections[0]?.isClosed ?? false);
  await expectServes(stand);
});

test('a 101 that no one asked for is a 502', async () => {
  const stand = await startSwitching(`${SWITCH}tunnel`);
  const client = await send(stand.engine.port, head('GET / HTTP/1.1', 'Host: a'));
  expect(await client.statuses()).toEqual([502]);
  expect(client.received).not.toContain('tunnel');
  await stand.upstream.when(({ connections }) => connections[0]?.isClosed ?? false);
  await expectServes(stand);
});

test('a switch that was agreed on is a tunnel for every byte, those behind both heads too', async () => {
  const stand = await startSwitching(`${SWITCH}early`);
  const client = await send(stand.engine.port, `${handshake()}GET /hidden HTTP/1.1\r\n\r\n`);
  await client.when(({ received }) => received.endsWith('early'));
  await stand.upstream.when(
    ({ connections }) => connections[0]?.received.endsWith('GET /hidden HTTP/1.1\r\n\r\n') ?? false,
  );
  const [response] = client.read().responses;
  expect(response?.status).toBe(101);
  expect(findField(response, 'sec-websocket-accept')).toBe(ACCEPT);
  expect(findField(response, 'upgrade')?.toLowerCase()).toBe('websocket');
  expect(findField(response, 'connection')?.toLowerCase()).toBe('upgrade');
  expect(stand.engine.heads.map(({ url }) => url)).toEqual(['/ws']);
  expect(stand.engine.ledger.active.websocket).toBe(1);
  client.reset();
  await until(() => liveIn(stand.engine.ledger) === 0);
});

test.each([200, 401, 404, 500])('any other response stays HTTP: %i', async (status) => {
  const stand = await startSwitching(`${head(`HTTP/1.1 ${status} x`, 'Upgrade: websocket', 'Content-Length: 2')}no`);
  const client: RawClient = await send(stand.engine.port, handshake() + head('GET /next HTTP/1.1', 'Host: a'));
  const [first, second] = await client.responds(2);
  expect(first).toMatchObject({ status, body: 'no' });
  expect(second?.status ?? status).toBe(status);
  expect(stand.upstream.targets.filter((target) => target !== '/next')).toEqual(['/ws']);
  expect(stand.upstream.connections.map(({ received }) => received).join('')).toMatch(/\r\nupgrade: websocket\r\n/i);
  await expectServes(stand);
});

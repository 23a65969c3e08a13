import { liveIn, stopAll, until } from '../../support/world';
import { findField, send } from './support/raw-client';
import { OK, startUpstream } from './support/raw-upstream';
import { Stand, expectResponseAndClose, expectServes, head, startStand } from './support/rejections';

afterEach(stopAll);

const LINES = ['Host: a', 'Connection: Upgrade', 'Upgrade: tcp'];
const ASK = head('GET /tcp HTTP/1.1', ...LINES);
const SWITCH = head('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: tcp');

async function startSwitching(response: string, upgradeProtocols = ['tcp', 'echo/1']): Promise<Stand> {
  const upstream = await startUpstream(({ target }, connection) => {
    if (target === '/sentinel') return OK;
    // What comes from here on is no HTTP.
    if (response.startsWith('HTTP/1.1 101')) connection.isSwitched = true;
    return response;
  });
  return startStand({ limits: { upgradeProtocols } }, upstream);
}

test.each([
  ['GET', ASK],
  ['POST with an empty body', head('POST /tcp HTTP/1.1', ...LINES, 'Content-Length: 0')],
  ['another case', ASK.replace('tcp\r', 'TCP\r')],
  ['a version', ASK.replace('Upgrade: tcp', 'Upgrade: echo/1')],
])('a switch that both agree on is a tunnel for every byte: %s', async (_, bytes) => {
  const [token] = /(?<=Upgrade: ).*(?=\r)/.exec(bytes)!;
  const stand = await startSwitching(`${SWITCH.replace('tcp', token)}early`);
  const client = await send(stand.engine.port, `${bytes}GET /hidden HTTP/1.1\r\n\r\n`);
  await client.when(({ received }) => received.endsWith('early'));
  const [connection] = stand.upstream.connections;
  await stand.upstream.when(() => connection!.received.endsWith('GET /hidden HTTP/1.1\r\n\r\n'));
  expect(connection!.received).toContain(`\r\nConnection: Upgrade\r\nUpgrade: ${token}\r\n`);
  const [response] = client.read().responses;
  expect(response?.status).toBe(101);
  expect(findField(response, 'upgrade')).toBe(token);
  expect(findField(response, 'connection')?.toLowerCase()).toBe('upgrade');
  expect(stand.engine.heads.map(({ isUpgrade }) => isUpgrade)).toEqual([true]);
  expect(stand.engine.ledger.active).toMatchObject({ http: 0, websocket: 1 });
  client.reset();
  await until(() => liveIn(stand.engine.ledger) === 0);
});

test.each([
  ['a length', `${head('POST /tcp HTTP/1.1', ...LINES, 'Content-Length: 5')}hello`],
  ['chunks', `${head('POST /tcp HTTP/1.1', ...LINES, 'Transfer-Encoding: chunked')}0\r\n\r\n`],
])('400 for one that has a body in %s', async (_, bytes) => {
  const stand = await startSwitching(SWITCH);
  await expectResponseAndClose(await send(stand.engine.port, bytes), 400);
  await expectServes(stand);
  expect(stand.upstream.targets).toEqual(['/sentinel']);
});

test.each([
  ['a protocol that is not listed', ASK.replace('tcp\r', 'other\r')],
  ['another version', ASK.replace('Upgrade: tcp', 'Upgrade: echo/2')],
  ['h2c', ASK.replace('Upgrade: tcp', 'Upgrade: h2c')],
  ['two protocols', ASK.replace('Upgrade: tcp', 'Upgrade: tcp, echo/1')],
  ['two fields', ASK.replace('Upgrade: tcp', 'Upgrade: tcp\r\nUpgrade: tcp')],
  ['HTTP/1.0', ASK.replace('HTTP/1.1', 'HTTP/1.0')],
  ['Connection does not name it', ASK.replace('Connection: Upgrade', 'Connection: keep-alive')],
])('served as if no one had asked: %s', async (_, bytes) => {
  const stand = await startSwitching(OK);
  const client = await send(stand.engine.port, bytes);
  expect(await client.statuses()).toEqual([200]);
  expect(stand.engine.heads.map(({ isUpgrade }) => isUpgrade)).toEqual([false]);
  for (const { fields } of stand.upstream.requests) {
    expect(fields.map(([name]) => name)).not.toContain('upgrade');
    expect(fields.filter(([name]) => name === 'connection').join()).not.toMatch(/upgrade/i);
  }
  await expectServes(stand);
});

test('none is listed unless it is said', async () => {
  const stand = await startSwitching(OK, []);
  const client = await send(stand.engine.port, ASK);
  expect(await client.statuses()).toEqual([200]);
  expect(stand.engine.heads.map(({ isUpgrade }) => isUpgrade)).toEqual([false]);
});

test.each([
  ['of another listed protocol', SWITCH.replace('tcp', 'echo/1')],
  ['of a WebSocket', SWITCH.replace('tcp', 'websocket')],
  ['of two protocols', SWITCH.replace('tcp', 'tcp, echo/1')],
  ['of none', SWITCH.replace('Upgrade: tcp\r\n', '')],
])('502 for a 101 %s, and no tunnel', async (_, response) => {
  const stand = await startSwitching(`${response}tunnel`);
  const client = await send(stand.engine.port, ASK);
  expect(await client.statuses()).toEqual([502]);
  expect(client.received).not.toContain('tunnel');
  await stand.upstream.when(({ connections }) => connections[0]?.isClosed ?? false);
  await expectServes(stand);
});

test('a 101 that no one asked for is a 502, also of a listed protocol', async () => {
  const stand = await startSwitching(`${SWITCH}tunnel`);
  const client = await send(stand.engine.port, head('GET / HTTP/1.1', 'Host: a'));
  expect(await client.statuses()).toEqual([502]);
  await expectServes(stand);
});

test.each([200, 403, 426])('any other response stays HTTP, and ends the connection: %i', async (status) => {
  const stand = await startSwitching(head(`HTTP/1.1 ${status} x`, 'Upgrade: tcp', 'Content-Length: 0'));
  const client = await send(stand.engine.port, ASK + head('GET /next HTTP/1.1', 'Host: a'));
  await expectResponseAndClose(client, status);
  expect(stand.upstream.targets).toEqual(['/tcp']);
});

import { stopAll, until } from '../../support/world';
import { DATA, END_STREAM, HEADERS, frame, frameClient, headers } from './support/frames';
import { SessionsOptions, Notified, ask, connect, startSessions } from './support/sessions';

afterEach(stopAll);

type Fields = readonly (readonly [string, string])[];

const GET: Fields = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a'],
];

/** The usual head with other pseudo fields; undefined leaves one out. */
function head(changes: Record<string, string | undefined>, ...more: Fields): Fields {
  const pseudo = GET.map(([name, value]) => [name, name in changes ? changes[name] : value] as const);
  return [...pseudo.filter((field): field is readonly [string, string] => field[1] !== undefined), ...more];
}

const begin = ({ client }: Notified) => client.respond({ status: 200 });

async function findStatus(
  fields: Fields,
  options: SessionsOptions = {},
): Promise<{ status: string; notified: Notified[] }> {
  const { port, notified } = await startSessions({ begin, ...options });
  const client = await frameClient(port);
  client.send(headers(1, fields, true));
  await until(() => client.notified(1).length > 0 || client.isClosed);
  const first = client.frames.find(({ type, stream }) => stream === 1 && type === HEADERS);
  // Node's encoder writes the status as an indexed field or with its name indexed and a plain or packed value.
  return { status: first ? statusIn(first.payload) : (client.notified(1)[0] ?? 'closed'), notified };
}

const INDEXED = ['200', '204', '206', '304', '400', '404', '500'];
const PACKED: Readonly<Record<string, string>> = {
  '680b': '405',
  '680f': '405',
};

function statusIn(payload: Buffer): string {
  const first = payload[0] ?? 0;
  if (first >= 0x88 && first <= 0x8e) return INDEXED[first - 0x88] ?? '';
  return PACKED[payload.subarray(2, 4).toString('hex')] ?? payload.toString('latin1');
}

test('the usual head is served', async () => {
  expect(await findStatus(GET)).toMatchObject({ status: '200', notified: [{}] });
  expect((await findStatus(head({ ':method': 'OPTIONS', ':path': '*' }))).status).toBe('200');
  expect((await findStatus(head({ ':authority': '[::1]:8080' }))).status).toBe('200');
  expect((await findStatus(head({}, ['te', 'trailers']))).status).toBe('200');
  expect((await findStatus(head({}, ['host', 'A']))).status).toBe('200');
});

test.each<[string, Fields]>([
  ['an authority that is not the Host', head({}, ['host', 'b'])],
  ['two authorities', head({ ':authority': 'a.example,b.example' })],
  ['a port that is too large', head({ ':authority': 'a:99999' })],
  ['an empty host', head({ ':authority': undefined }, ['host', ''])],
  ['a fragment in the path', head({ ':path': '/a#b' })],
  ['bytes in the path that are not ASCII', head({ ':path': '/\xe9' })],
  ['* for other methods than OPTIONS', head({ ':path': '*' })],
  ['no host at all', head({ ':authority': undefined })],
])('%s is rejected with 400', async (_, fields) => {
  const { status, notified } = await findStatus(fields);
  expect(['400', 'RST_STREAM:1']).toContain(status);
  expect(notified).toEqual([]);
});

test.each<[string, Fields]>([
  ['a field of one connection', head({}, ['connection', 'close'])],
  ['Upgrade', head({}, ['upgrade', 'h2c'])],
  ['Transfer-Encoding', head({}, ['transfer-encoding', 'chunked'])],
  ['Keep-Alive', head({}, ['keep-alive', 'timeout=1'])],
  ['Proxy-Connection', head({}, ['proxy-connection', 'x'])],
  ['TE other than trailers', head({}, ['te', 'gzip'])],
  ['a name in upper case', head({}, ['X-A', 'b'])],
  ['an unknown pseudo field', head({}, [':foo', 'b'])],
  ['a pseudo field twice', head({}, [':path', '/b'])],
  ['a pseudo field behind others', [...head({ ':authority': undefined }), ['x', 'y'], [':authority', 'a']]],
  ['two Hosts', head({}, ['host', 'a'], ['host', 'a'])],
  ['white space in the path', head({ ':path': '/a b' })],
  ['a control byte in the path', head({ ':path': '/\x01' })],
  ['a path that is none', head({ ':path': 'a' })],
  ['an empty path', head({ ':path': '' })],
  ['user information in the authority', head({ ':authority': 'u@a' })],
  ['a method that is no token', head({ ':method': 'G T' })],
  ['two lengths', head({}, ['content-length', '1'], ['content-length', '1'])],
  ['a length that is no number', head({}, ['content-length', '+1'])],
  ['a length without a body', head({}, ['content-length', '1'])],
  ['extended CONNECT', [...head({ ':method': 'CONNECT' }), [':protocol', 'websocket']]],
])('%s resets the stream as a protocol error', async (_, fields) => {
  expect(await findStatus(fields)).toEqual({ status: 'RST_STREAM:1', notified: [] });
});

test('other rejections have their own status', async () => {
  const { port, notified } = await startSessions({
    begin,
    limits: { requestLineBytes: 100, fieldBytes: 1_000, fieldLines: 10 },
  });
  const session = await connect(port);
  const many = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`x-${index}`, 'y']));
  const asked = [
    ask(session, { ':method': 'CONNECT', ':path': undefined, ':authority': 'a:1' }),
    ask(session, { ':path': `/${'p'.repeat(100)}` }),
    ask(session, { 'x-long': 'y'.repeat(1_000) }),
    ask(session, many),
    ask(session, { expect: 'wonders' }),
    ask(session, {}),
  ];
  await until(() => asked.every(({ code }) => code !== undefined));
  expect(asked.map(({ status }) => status)).toEqual([405, 414, 431, 431, 417, 200]);
  expect(notified).toHaveLength(1);
});

test('fields far over the limits end their stream, and no other', async () => {
  const { port, notified } = await startSessions({ begin, limits: { fieldBytes: 1_000, fieldLines: 10 } });
  const session = await connect(port);
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`x-${index}`, 'y']));
  // Node's client heeds what the settings say of the size, so only the count can be passed.
  const over = ask(session, many);
  await until(() => over.code !== undefined);
  expect([over.status, over.code]).toEqual([undefined, 11]);
  const next = ask(session, {});
  await until(() => next.status === 200);
  expect(notified).toHaveLength(1);
});

test('a body that is not as long as it said is no whole upload', async () => {
  const { port, notified } = await startSessions();
  const client = await frameClient(port);
  client.send(headers(1, head({ ':method': 'POST' }, ['content-length', '3']), false));
  await until(() => notified.length === 1);
  client.send(frame(DATA, END_STREAM, 1, Buffer.from('x')));
  await until(() => notified[0]?.isGone === true && client.notified(1).length > 0);
  expect(notified[0]!.trailers).toBeUndefined();
  expect(client.notified(1)).toEqual(['RST_STREAM:1']);
  const longer = await frameClient(port);
  longer.send(headers(1, head({ ':method': 'POST' }, ['content-length', '1']), false));
  await until(() => notified.length === 2);
  longer.send(frame(DATA, END_STREAM, 1, Buffer.from('xyz')));
  await until(() => notified[1]?.isGone === true && longer.notified(1).length > 0);
  expect([notified[1]!.trailers, notified[1]!.upload, longer.notified(1)]).toEqual([undefined, '', ['RST_STREAM:1']]);
});

test('a stream that is broken before it was looked at is not served', async () => {
  const { port, notified } = await startSessions();
  const client = await frameClient(port);
  const broken = headers(1, head({ ':method': 'POST' }, ['content-length', '3']), false);
  client.send(broken, frame(DATA, END_STREAM, 1, Buffer.from('x')), headers(3, GET, true));
  await until(() => notified.length === 1 && client.notified(1).length > 0);
  expect([notified[0]!.head.method, client.notified(1)]).toEqual(['GET', ['RST_STREAM:1']]);
});

test.each(['content-length', 'host', 'authorization'])('%s in the trailers breaks the upload', async (name) => {
  const { port, notified } = await startSessions();
  const client = await frameClient(port);
  client.send(headers(1, head({ ':method': 'POST' }), false), frame(DATA, 0, 1, Buffer.from('b')));
  client.send(headers(1, [[name, '1']], true));
  await until(() => notified[0]?.broken === 400);
  expect(notified[0]!.trailers).toBeUndefined();
});

import { once } from 'node:events';
import { IncomingMessage, Server, ServerResponse, createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import { Decision, DECISION_PREFIX, REGIME_KEY } from '../../../../core/switch/decision';
import { FIRST_REGIME, Regime } from '../../../../core/switch/regime';
import { switchStorePort } from '../../../../lambda/adapters/store/switch-store';
import { openS3Store } from '../../../../proxy/switch-store/s3-store';
import { REGION, LocalCloud, startLocalCloud } from '../../../rehearsal/aws/world';

let cloud: LocalCloud;
let relay: Server;
/** What happens to each put in turn. `conflict`: S3 says 409, and nothing is written. `lost`: written, and not told. */
let puts: ('conflict' | 'lost')[];
let seen: string[];
/** Before a put that is passed on. */
let before: (key: string) => void;
/** After it, and before its response. */
let after: (key: string) => void;

beforeEach(async () => {
  [puts, seen, before, after] = [[], [], () => undefined, () => undefined];
  cloud = await startLocalCloud();
  relay = createServer((request, response) => void pass(request, response));
  await once(relay.listen(0, '127.0.0.1'), 'listening');
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'LAMBDA',
    AWS_SECRET_ACCESS_KEY: 'none',
  });
});
afterEach(async () => {
  relay.closeAllConnections();
  relay.close();
  await cloud.stop();
});

const CONFLICT =
  '<?xml version="1.0" encoding="UTF-8"?><Error><Code>ConditionalRequestConflict</Code><Message>The conditional request cannot succeed due to a conflicting operation against this resource.</Message></Error>';

async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body: Buffer[] = [];
  for await (const chunk of request) body.push(chunk as Buffer);
  const { host, ...headers } = request.headers as Record<string, string>;
  delete headers['transfer-encoding'];
  const isPut = request.method === 'PUT';
  const fate = isPut ? puts.shift() : undefined;
  const condition = headers['if-none-match'] ?? headers['if-match'];
  if (isPut) seen.push(`${condition === '*' ? 'new' : condition === undefined ? 'bare' : 'matching'} ${fate ?? 'put'}`);
  if (fate === 'conflict') return void response.writeHead(409, { 'content-type': 'application/xml' }).end(CONFLICT);
  if (isPut) before(new URL(request.url ?? '', 'http://s3').pathname);
  const received = await fetch(`${cloud.url}${request.url}`, {
    method: request.method,
    headers: { ...headers, 'x-host': host ?? '' },
    ...(body.length > 0 && { body: Buffer.concat(body) }),
  });
  const content = Buffer.from(await received.arrayBuffer());
  if (isPut) after(new URL(request.url ?? '', 'http://s3').pathname);
  if (fate === 'lost') return void response.destroy();
  response.writeHead(received.status, Object.fromEntries(received.headers)).end(content);
}

const COMMIT: Decision = { outcome: 'commit', by: 'night' };
const ABORT: Decision = { outcome: 'abort', by: 'a task', why: 'the lease of its hold expired' };
const next: Regime = { epoch: 1, side: 'target', isJoined: true, committed: 1 };
const write = (key: string, value: unknown) => cloud.objects.put('store', key, Buffer.from(JSON.stringify(value)));

describe.each([
  ['the coordinator', async () => switchStorePort('store').decide],
  ['a task', async () => (await openS3Store('store')).propose],
])('a decision of %s', (_, open) => {
  test('that is first holds, and that comes later follows the first', async () => {
    const decide = await open();
    expect(await decide(1, COMMIT)).toEqual(COMMIT);
    expect(await decide(1, ABORT)).toEqual(COMMIT);
    expect(await decide(2, ABORT)).toEqual(ABORT);
    expect(new Set(seen)).toEqual(new Set(['new put']));
  });

  test('takes a conflict for no verdict', async () => {
    const decide = await open();
    puts = ['conflict', 'conflict'];
    expect(await decide(1, COMMIT)).toEqual(COMMIT);
    expect(seen.length).toBe(3);
  });

  test('is its own where the response was lost', async () => {
    const decide = await open();
    puts = ['lost'];
    expect(await decide(1, COMMIT)).toEqual(COMMIT);
    expect(await decide(1, ABORT)).toEqual(COMMIT);
  });

  test('is that of another who was first in a conflict', async () => {
    const decide = await open();
    puts = ['conflict'];
    before = (key) => key.includes('decision') && write(`${DECISION_PREFIX}1.json`, ABORT);
    expect(await decide(1, COMMIT)).toEqual(ABORT);
  });

  test('that cannot be read is an error, and none', async () => {
    const decide = await open();
    write(`${DECISION_PREFIX}1.json`, { outcome: 'maybe' });
    await expect(decide(1, COMMIT)).rejects.toThrow(/a decision in the store must be as drainshift wrote it/);
  });

  test('that conflicts at each attempt is an error, and none', async () => {
    const decide = await open();
    puts = Array.from({ length: 50 }, () => 'conflict' as const);
    await expect(decide(1, COMMIT)).rejects.toThrow(/conflict/i);
    puts = [];
    expect(await switchStorePort('store').readDecision(1)).toBeUndefined();
  });
});

describe('a regime', () => {
  test('is the first one where there is none, and is written over the one that was read', async () => {
    const store = switchStorePort('store');
    const first = await store.readRegime();
    expect(first).toEqual({ regime: FIRST_REGIME, etag: undefined });
    const written = await store.writeRegime(next, first.etag);
    expect(written?.regime).toEqual(next);
    expect(await store.writeRegime({ ...next, epoch: 2 }, first.etag)).toBeUndefined();
    expect((await store.writeRegime({ ...next, epoch: 3 }, written?.etag))?.regime.epoch).toBe(3);
    expect((await (await openS3Store('store')).readRegime())?.epoch).toBe(3);
    expect(seen).toEqual(['new put', 'new put', 'matching put']);
  });

  test('takes a conflict for no verdict, and its own write for its own', async () => {
    const store = switchStorePort('store');
    puts = ['conflict', 'lost'];
    const written = await store.writeRegime(next, undefined);
    expect(written?.regime).toEqual(next);
    puts = ['lost'];
    expect((await store.writeRegime({ ...next, epoch: 2 }, written?.etag))?.regime.epoch).toBe(2);
  });

  test('of another is not taken for its own', async () => {
    const store = switchStorePort('store');
    puts = ['conflict'];
    before = () => write(REGIME_KEY, { ...next, side: 'source' });
    expect(await store.writeRegime(next, undefined)).toBeUndefined();
  });

  test('that another has followed already is what was written, with its own ETag', async () => {
    const store = switchStorePort('store');
    after = () => write(REGIME_KEY, { ...next, epoch: 7, side: 'source' });
    const written = await store.writeRegime(next, undefined);
    expect(written?.regime).toEqual(next);
    after = () => undefined;
    expect(await store.writeRegime({ ...next, epoch: 2 }, written?.etag)).toBeUndefined();
    expect((await store.readRegime()).regime.epoch).toBe(7);
  });

  test('that is damaged is never taken for none', async () => {
    write(REGIME_KEY, { epoch: '1' });
    await expect(switchStorePort('store').readRegime()).rejects.toThrow(/the regime in the store must be/);
    await expect((await openS3Store('store')).readRegime()).rejects.toThrow(/the regime in the store must be/);
  });
});

import type { ServerResponse } from 'node:http';
import { Decision, DECISION_PREFIX, REGIME_KEY } from '../../../../core/switch/decision';
import { FIRST_REGIME, Regime } from '../../../../core/switch/regime';
import { switchStorePort } from '../../../../lambda/adapters/store/switch-store';
import { openS3Store } from '../../../../proxy/switch-store/s3-store';
import { LocalCloud, startLocalCloud } from '../../../rehearsal/aws/world';
import { callEndpoint } from '../world';
import { startRelay, type Relayed } from './relay';

let cloud: LocalCloud;
let relay: Awaited<ReturnType<typeof startRelay>>;
/** What happens to each put in turn. `conflict`: S3 says 409, and nothing is written. `lost`: written, and not told. */
let puts: ('conflict' | 'lost')[];
let seen: string[];
/** Before a put that is passed on. */
let before: (key: string) => void;
/** After it, and before its response. */
let after: (key: string) => void;

// What the SDK loads for its first call takes seconds in a test, and is none of the time that a call may take.
beforeAll(async () => {
  const first = await startLocalCloud();
  callEndpoint(first.url);
  await Promise.allSettled([
    switchStorePort('store').readRegime(),
    openS3Store('store').then((one) => one.readRegime()),
  ]);
  await first.stop();
});
beforeEach(async () => {
  [puts, seen, before, after] = [[], [], () => undefined, () => undefined];
  cloud = await startLocalCloud();
  relay = await startRelay(cloud.url, pass);
  callEndpoint(relay.url);
});
afterEach(async () => {
  relay.stop();
  await cloud.stop();
});

const CONFLICT =
  '<?xml version="1.0" encoding="UTF-8"?><Error><Code>ConditionalRequestConflict</Code><Message>The conditional request cannot succeed due to a conflicting operation against this resource.</Message></Error>';

async function pass({ method, path, headers, forward }: Relayed, response: ServerResponse): Promise<void> {
  const isPut = method === 'PUT';
  const fate = isPut ? puts.shift() : undefined;
  const condition = headers['if-none-match'] ?? headers['if-match'];
  if (isPut) seen.push(`${condition === '*' ? 'new' : condition === undefined ? 'bare' : 'matching'} ${fate ?? 'put'}`);
  if (fate === 'conflict') return void response.writeHead(409, { 'content-type': 'application/xml' }).end(CONFLICT);
  if (isPut) before(path);
  const received = await forward();
  if (isPut) after(path);
  if (fate === 'lost') return void response.destroy();
  response.writeHead(received.status, received.headers).end(received.content);
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

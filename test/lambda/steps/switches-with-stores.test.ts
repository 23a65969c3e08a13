import { Redis } from 'iovalkey';
import { CutoverRun, rollBack } from '../../../core/cutover/run';
import type { StorePlan } from '../../../core/plan/state-plan';
import { keyStoresPort } from '../../../lambda/adapters/key-store/key-store';
import type { KeyStore } from '../../../lambda/contract/store-ports';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { preflight } from '../../../lambda/steps/preflight';
import { rollback } from '../../../lambda/steps/rollback';
import { switchStep } from '../../../lambda/steps/switch';
import { RunningStore, hasRedisServer, startStore } from '../../support/redis-server';
import { SwitchCloud } from './switch-cloud';

const describeWithStores = hasRedisServer('a switch that takes stores along') ? describe : describe.skip;

const SECRET = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:source-abcdef';
const PASSWORD = 'pass-of-the-source';

let cloud: SwitchCloud;
let servers: { readonly source: RunningStore; readonly target: RunningStore };
let source: Redis;
let target: Redis;
/** What happens to a store of the steps before it does its work. */
let before: (side: string, call: keyof KeyStore) => Promise<unknown>;

async function fill(): Promise<void> {
  const pipeline = source.pipeline();
  for (let at = 0; at < 600; at += 1) pipeline.set(`cart:${at}`, `thing ${at}`);
  pipeline.hset('hash', { b: '2', a: '1' }).rpush('list', 'x', 'y', 'x').sadd('set', 'one', 'two', 'three');
  pipeline
    .zadd('sorted', 1.5, 'a', 'inf', 'b')
    .xadd('stream', '1-1', 'field', 'value')
    .xgroup('CREATE', 'stream', 'g', '0');
  pipeline.set('session', 'of a person', 'PX', 600_000).set(Buffer.from([0xff, 0x00, 0x0a]), 'of bytes');
  await pipeline.exec();
}

function meddled(store: KeyStore, side: string): KeyStore {
  return new Proxy(store, {
    get: (object, name) => {
      const method = object[name as keyof KeyStore] as (...given: unknown[]) => unknown;
      if (name === 'close' || name === 'then') return method?.bind(object);
      return async (...given: unknown[]) => {
        await before(side, name as keyof KeyStore);
        return method.apply(object, given);
      };
    },
  });
}

/** All that a store has, for people: by DEBUG DIGEST, which is the server's own. */
const digest = (redis: Redis) => redis.call('DEBUG', 'DIGEST') as Promise<string>;

describeWithStores('with two stores', () => {
  beforeEach(async () => {
    const [one, other] = await Promise.all([startStore(), startStore()]);
    servers = { source: one, target: other };
    cloud = new SwitchCloud();
    before = () => Promise.resolve();
    source = new Redis({ port: one.port });
    target = new Redis({ port: other.port });
    await source.call('ACL', 'SETUSER', 'steps', 'on', `>${PASSWORD}`, '~*', '&*', '+@all');
    const stores = keyStoresPort(() => Promise.resolve(JSON.stringify({ username: 'steps', password: PASSWORD })));
    cloud.openStore = async (plan: StorePlan, limitMs) => {
      const side = plan.url.includes(`:${one.port}`) ? 'source' : 'target';
      await before(side, 'close');
      return meddled(await stores.open(plan, limitMs), side);
    };
    await fill();
  });
  afterEach(async () => {
    cloud.end();
    source.disconnect();
    target.disconnect();
    await Promise.all([servers.source.stop(), servers.target.stop()]);
  });

  const state = (more: object = {}) => ({
    valkey: {
      source: { url: `redis://127.0.0.1:${servers.source.port}`, secretArn: SECRET },
      target: { url: `redis://127.0.0.1:${servers.target.port}` },
      ...more,
    },
    // A busy machine is no verdict.
    timeoutMs: { freeze: 5_000, transfer: 9_000, verify: 9_000, thaw: 3_000 },
  });
  const start = (plan: object = {}): CutoverRun => cloud.switching({ state: state(), maxPauseMs: 25_000, ...plan });
  const step = (run: CutoverRun) => switchStep(run, cloud.ports, cloud.nowMs);
  const back = (run: CutoverRun) => rollback(run, cloud.ports, cloud.nowMs);

  test('keys of all types go along with their times, and what changes behind the copy and in the hold', async () => {
    let writes = 0;
    before = async (side, call) => {
      // Behind the comparison, and while requests end.
      if (side === 'source' && call === 'freeze' && writes++ === 0)
        await source.multi().set('cart:7', 'changed').del('cart:8').rename('list', 'renamed').set('new', '1').exec();
    };
    const run = start();
    const after = await step(run);
    expect(after.switches).toMatchObject([{ outcome: 'commit' }]);
    expect(after.switches?.[0]?.hook).toMatchObject([
      { part: 'prepare', side: 'target', keys: 607 },
      { part: 'freeze', side: 'source' },
      { part: 'transfer', side: 'target', keys: 5 },
      { part: 'verify', side: 'target', keys: 607 },
      { part: 'thaw', side: 'target' },
    ]);
    expect(await digest(target)).toBe(await digest(source));
    expect(await target.pexpiretime('session')).toBe(await source.pexpiretime('session'));
    expect(await target.get('cart:7')).toBe('changed');
    expect(JSON.stringify(after)).not.toContain(PASSWORD);
    // What was set for the comparison is as it was.
    expect(await source.config('GET', 'notify-keyspace-events')).toEqual(['notify-keyspace-events', '']);
  });

  test.each([
    ['where stores notify', true],
    ['where they do not', false],
  ])('a key that was changed at the target aborts by name, and nothing stays there: %s', async (_, notifies) => {
    for (const each of [source, target]) if (!notifies) await each.call('ACL', 'SETUSER', 'default', '-config');
    if (!notifies) await source.call('ACL', 'SETUSER', 'steps', '-config');
    let isPlanted = false;
    before = async (side, call) => {
      // Behind the copy of the rest, before what is compared last.
      const isInHold = cloud.switches.regime?.switching !== undefined;
      if (isPlanted || side !== 'target' || call !== (notifies ? 'count' : 'scan') || !isInHold) return;
      isPlanted = true;
      await target.set('cart:7', 'planted');
    };
    const aborted = await step(start());
    expect(aborted.switches).toMatchObject([{ outcome: 'abort' }]);
    expect(aborted.switches?.[0]?.hook?.find(({ part }) => part === 'verify')?.problem).toBe(
      "both sides must hold the same, got 1 that differ: 'cart:7' differs",
    );
    expect(aborted.switches?.[0]).not.toHaveProperty('left');
    expect(await target.dbsize()).toBe(0);
    await source.set('still', 'writes');
    expect(cloud.ask()).toEqual(['source', 'source', 'target']);
  });

  test('what a copy may not replace is named before anything is written, in preflight too', async () => {
    await target.set('own', 'of the target');
    const rule = "the store of the target must have no keys '*' before the copy, got 'own'";
    await expect(preflight(start(), cloud.ports, cloud.nowMs)).rejects.toThrow(rule);
    expect(await step(start({ attempts: 1 }))).toMatchObject({
      verdict: 'rollBack',
      failure: { message: expect.stringContaining(rule) as string },
    });
    expect(await target.keys('*')).toEqual(['own']);
    // Keys beside those of the pattern are no matter.
    const after = await step(start({ state: state({ keys: 'cart:*' }) }));
    expect(after.switches).toMatchObject([{ outcome: 'commit', hook: [{ keys: 600 }, {}, {}, { keys: 600 }, {}] }]);
    expect(await target.get('own')).toBe('of the target');
    expect(await target.dbsize()).toBe(601);
  });

  test('a source that was emptied as a whole in the hold is no state to switch with', async () => {
    before = async (side, call) => (side === 'source' && call === 'freeze' ? source.flushall() : undefined);
    const aborted = await step(start());
    expect(aborted.switches).toMatchObject([
      { outcome: 'abort', why: expect.stringContaining('607 that differ') as string },
    ]);
    expect(await target.dbsize()).toBe(0);
  });

  test.each(['source', 'target'] as const)(
    'a %s store that dies in the hold aborts, and the source goes on',
    async (dies) => {
      before = async (_, call) => (call === 'count' ? servers[dies].stop() : undefined);
      const aborted = await step(start());
      expect(aborted.switches).toMatchObject([{ outcome: 'abort' }]);
      // What could not be taken back is named.
      expect(aborted.switches?.[0]?.left).toBe(dies === 'target' ? 'target' : undefined);
      expect(cloud.ask()).toEqual(['source', 'source', 'target']);
      if (dies === 'source') expect(await target.dbsize()).toBe(0);
      else expect(await source.set('still', 'writes')).toBe('OK');
    },
  );

  test('who stops while it is copied finds nothing of it at the target', async () => {
    before = (side, call) => {
      // Time passes: the copy is left to the next call, with its cursor.
      if (side === 'target' && call === 'restore') cloud.nowMs += 60_000;
      return Promise.resolve();
    };
    const copying = await step(start());
    expect(copying).toMatchObject({ verdict: 'wait', preparation: { isReady: false, starts: 1 } });
    expect(await target.dbsize()).toBeGreaterThan(1);
    const ready = await step(copying);
    expect(ready.preparation).toMatchObject({ isReady: true, starts: 1, keys: 607 });
    expect(await back(rollBack(ready, 'Aborted', 'an operator asked'))).toMatchObject({ verdict: 'restored' });
    expect(await target.dbsize()).toBe(0);
  });

  test('a rollback takes what was written at the target back along', async () => {
    const run = await confirm(await step(start()), cloud.ports, cloud.nowMs);
    await target.multi().set('cart:0', 'changed at the target').del('cart:1').exec();
    cloud.smoke.target = 502;
    const restored = await back(await bake(run, cloud.ports, cloud.nowMs));
    expect(restored).toMatchObject({ verdict: 'restored', switches: [{ to: 'target' }, { to: 'source' }] });
    expect(await source.get('cart:0')).toBe('changed at the target');
    await target.client('UNPAUSE');
    expect(await digest(source)).toBe(await digest(target));
  });

  test('a call that was late writes nothing to a store that serves', async () => {
    const after = await step(start());
    expect(after.switches).toMatchObject([{ outcome: 'commit' }]);
    const again = await keyStoresPort(() => Promise.reject(new Error('none'))).open(
      after.plan.switch!.state!.valkey!.target,
      5_000,
    );
    const guard = { key: 'drainshift:copy', text: after.execution };
    const dumped = await again.dump(['cart:1']);
    await target.set('cart:1', 'behind it');
    await expect(again.remove(['cart:1'], guard)).rejects.toThrow('only a store of this copy may be written to');
    await expect(again.restore(dumped, guard)).rejects.toThrow('only a store of this copy may be written to');
    expect(await target.get('cart:1')).toBe('behind it');
    again.close();
  });
});

import type { Redis } from 'iovalkey';
import { rollBack } from '../../../core/cutover/run';
import { keyStoresPort } from '../../../lambda/adapters/key-store/key-stores';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { preflight } from '../../../lambda/steps/preflight';
import { describeWithEachStore } from '../../support/redis-server';
import { makeTlsFiles } from '../../support/tls-files';
import type { SwitchCloud } from './switch-cloud';
import { PASSWORD, TwoStores, digest, fill, listDocumentedRules } from './two-stores';

describeWithEachStore('a switch that takes stores along', (command) => {
  let stores: TwoStores;
  let cloud: SwitchCloud;
  let source: Redis;
  let target: Redis;
  beforeEach(async () => {
    stores = await TwoStores.start(command);
    ({ cloud, source, target } = stores);
    await fill(source);
  });
  afterEach(() => stores.stop());

  test('keys of all types go along with their times, and what changes behind the copy and in the hold', async () => {
    let writes = 0;
    stores.before = async (side, call) => {
      // Behind the comparison, and while requests end.
      if (side === 'source' && call === 'freeze' && writes++ === 0)
        await source.multi().set('cart:7', 'changed').del('cart:8').rename('list', 'renamed').set('new', '1').exec();
    };
    const run = stores.begin();
    const after = await stores.attempt(run);
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
    for (const each of [source, target]) if (!notifies) await each.call('ACL', 'SETUSER', 'steps', '-config');
    let isPlanted = false;
    stores.before = async (side, call) => {
      // Behind the copy of the rest, before what is compared last.
      const isInHold = cloud.switches.regime?.switching !== undefined;
      if (isPlanted || side !== 'target' || call !== (notifies ? 'count' : 'scan') || !isInHold) return;
      isPlanted = true;
      await target.set('cart:7', 'planted');
    };
    const aborted = await stores.attempt(stores.begin());
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
    await expect(preflight(stores.begin(), cloud.ports, cloud.nowMs)).rejects.toThrow(rule);
    expect(await stores.step(stores.begin({ attempts: 1 }))).toMatchObject({
      verdict: 'rollBack',
      failure: { message: expect.stringContaining(rule) as string },
    });
    expect(await target.keys('*')).toEqual(['own']);
    // Keys beside those of the pattern are no matter.
    const after = await stores.attempt(stores.begin({ state: stores.state({ keys: 'cart:*' }) }));
    expect(after.switches).toMatchObject([{ outcome: 'commit', hook: [{ keys: 600 }, {}, {}, { keys: 600 }, {}] }]);
    expect(await target.get('own')).toBe('of the target');
    expect(await target.dbsize()).toBe(601);
  });

  test('a source that was emptied as a whole in the hold is no state to switch with', async () => {
    stores.before = async (side, call) => (side === 'source' && call === 'freeze' ? source.flushall() : undefined);
    const aborted = await stores.attempt(stores.begin());
    expect(aborted.switches).toMatchObject([
      { outcome: 'abort', why: expect.stringContaining('607 that differ') as string },
    ]);
    expect(await target.dbsize()).toBe(0);
  });

  test('a database that was swapped for another one behind the comparison is none to switch with', async () => {
    // The same keys: none is missing, and no event names one.
    await source.multi().select(1).exec();
    await fill(source);
    await source.multi().set('cart:7', 'of another database').select(0).exec();
    stores.before = async (side, call) =>
      side === 'source' && call === 'freeze' ? source.call('SWAPDB', '0', '1') : undefined;
    const aborted = await stores.attempt(stores.begin());
    expect(aborted.switches).toMatchObject([
      { outcome: 'abort', why: expect.stringContaining('got databases that were swapped (SWAPDB)') as string },
    ]);
    expect(await target.dbsize()).toBe(0);
    expect(await source.config('GET', 'notify-keyspace-events')).toEqual(['notify-keyspace-events', '']);
  });

  test.each(['source', 'target'] as const)(
    'a %s store that dies in the hold aborts, and the source goes on',
    async (dies) => {
      stores.before = async (_, call) => (call === 'count' ? stores.servers[dies].stop() : undefined);
      const aborted = await stores.attempt(stores.begin());
      expect(aborted.switches).toMatchObject([{ outcome: 'abort' }]);
      // What could not be taken back is named.
      expect(aborted.switches?.[0]?.left).toBe(dies === 'target' ? 'target' : undefined);
      expect(cloud.ask()).toEqual(['source', 'source', 'target']);
      if (dies === 'source') expect(await target.dbsize()).toBe(0);
      else expect(await source.set('still', 'writes')).toBe('OK');
    },
  );

  test('who stops while it is copied finds nothing of it at the target', async () => {
    stores.before = (side, call) => {
      // Time passes: the copy is left to the next call, with its cursor.
      if (side === 'target' && call === 'restore') cloud.nowMs += 60_000;
      return Promise.resolve();
    };
    const copying = await stores.step(stores.begin());
    expect(copying).toMatchObject({ verdict: 'wait', preparation: { isReady: false, starts: 1 } });
    expect(await target.dbsize()).toBeGreaterThan(1);
    const ready = await stores.step(copying);
    expect(ready.preparation).toMatchObject({ isReady: true, starts: 1, keys: 607 });
    expect(await stores.back(rollBack(ready, 'Aborted', 'an operator asked'))).toMatchObject({ verdict: 'restored' });
    expect(await target.dbsize()).toBe(0);
  });

  test('a rollback takes what was written at the target back along', async () => {
    const run = await confirm(await stores.attempt(stores.begin()), cloud.ports, cloud.nowMs);
    await target.multi().set('cart:0', 'changed at the target').del('cart:1').exec();
    cloud.smoke.target = 502;
    const restored = await stores.back(await bake(run, cloud.ports, cloud.nowMs));
    expect(restored).toMatchObject({ verdict: 'restored', switches: [{ to: 'target' }, { to: 'source' }] });
    expect(await source.get('cart:0')).toBe('changed at the target');
    await target.client('UNPAUSE');
    expect(await digest(source)).toBe(await digest(target));
  });

  test('where that is aborted, the record says that the source has keys of both sides', async () => {
    const run = await confirm(await stores.attempt(stores.begin()), cloud.ports, cloud.nowMs);
    await target.set('cart:0', 'changed at the target');
    stores.before = async (side, call) => {
      const { switching } = cloud.switches.regime ?? {};
      // Behind the rest that is copied back, before what is compared last.
      if (side === 'source' && call === 'count' && switching?.to === 'source') await source.set('cart:7', 'planted');
    };
    cloud.smoke.target = 502;
    const stays = await stores.back(await bake(run, cloud.ports, cloud.nowMs));
    expect(stays.switches).toMatchObject([
      { outcome: 'commit' },
      { to: 'source', outcome: 'abort', left: 'source', why: expect.stringContaining("'cart:7' differs") as string },
    ]);
    expect(stays.switches?.[1]?.hook?.at(-1)?.problem).toBe(
      'the store of the source has keys of both sides: the next copy takes their place',
    );
    // The target serves on.
    expect(await target.set('still', 'writes')).toBe('OK');
  });

  test('where the user may not pause writes, they are kept away by the hold alone', async () => {
    await source.call('ACL', 'SETUSER', 'steps', '-client|pause');
    let written: string | undefined;
    stores.before = async (side, call) => {
      // A job that writes past the proxies: it does not wait, and goes along as it is before the comparison.
      if (side === 'target' && call === 'restore') written = await source.set('cart:9', 'by a job');
    };
    const after = await stores.attempt(stores.begin());
    expect(after.switches).toMatchObject([{ outcome: 'commit', hook: [{}, { part: 'freeze' }, {}, {}, {}] }]);
    expect(after.switches?.[0]?.hook?.[1]).not.toHaveProperty('problem');
    expect(written).toBe('OK');
    expect(await target.get('cart:9')).toBe('by a job');
  });

  test('a call that was late writes nothing to a store that serves', async () => {
    const after = await stores.attempt(stores.begin());
    expect(after.switches).toMatchObject([{ outcome: 'commit' }]);
    const place = { ...after.plan.switch!.state!.valkey!.target, secretArn: undefined };
    const again = await keyStoresPort(() => Promise.reject(new Error('none'))).open(place, 5_000);
    const guard = { key: 'drainshift:copy', text: after.execution };
    const dumped = await again.dump(['cart:1']);
    await target.set('cart:1', 'behind it');
    await expect(again.remove(['cart:1'], guard)).rejects.toThrow('only a store of this copy may be written to');
    await expect(again.restore(dumped, guard)).rejects.toThrow('only a store of this copy may be written to');
    expect(await target.get('cart:1')).toBe('behind it');
    again.close();
  });
});

describeWithEachStore('stores over TLS whose user has the commands of the docs alone', (command) => {
  test('go along, and back', async () => {
    const tls = await makeTlsFiles();
    const stores = await TwoStores.start(command, { tls, rules: listDocumentedRules() });
    const { cloud, source, target } = stores;
    await fill(source);
    const after = await stores.attempt(stores.begin());
    expect(after.switches).toMatchObject([{ outcome: 'commit' }]);
    expect(after.switches?.[0]?.hook).toMatchObject([
      { part: 'prepare', keys: 607 },
      { part: 'freeze' },
      { part: 'transfer', keys: 0 },
      { part: 'verify', keys: 607 },
      { part: 'thaw' },
    ]);
    expect(await digest(target)).toBe(await digest(source));
    const run = await confirm(after, cloud.ports, cloud.nowMs);
    await target.set('cart:0', 'changed at the target');
    cloud.smoke.target = 502;
    const restored = await stores.back(await bake(run, cloud.ports, cloud.nowMs));
    expect(restored).toMatchObject({ verdict: 'restored', switches: [{ to: 'target' }, { to: 'source' }] });
    expect(await source.get('cart:0')).toBe('changed at the target');
    await stores.stop();
    tls.remove();
  });
});

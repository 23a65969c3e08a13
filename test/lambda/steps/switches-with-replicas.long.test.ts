import { Redis } from 'iovalkey';
import { rollBack } from '../../../core/cutover/run';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { preflight } from '../../../lambda/steps/preflight';
import type { StoreServer } from '../../../lambda/contract/store-ports';
import { describeWithEachStore } from '../../support/redis-server';
import { makeTlsFiles } from '../../support/tls-files';
import { TwoStores, digest, fill, listDocumentedRules } from './two-stores';

/** A client of its own, which knows nothing of a switch: it goes to the other store where one is no primary. */
class Writer {
  readonly acknowledged: string[] = [];
  private isOver = false;
  private readonly done: Promise<void>;

  constructor(private readonly stores: readonly Redis[]) {
    this.done = this.run();
  }

  async end(): Promise<void> {
    this.isOver = true;
    await this.done;
  }

  private async run(): Promise<void> {
    let at = 0;
    for (let id = 0; !this.isOver; id += 1) {
      const name = `write ${id}`;
      for (let isWritten = false; !isWritten && !this.isOver;) {
        try {
          await this.stores[at]!.rpush('log', name);
          this.acknowledged.push(name);
          isWritten = true;
        } catch (error) {
          // Rejected for sure, or its fate is not known: then it is not tried again.
          isWritten = !/READONLY/.test(String(error));
          at = 1 - at;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

const role = async (redis: Redis) => (await redis.role())[0];
const count = async (redis: Redis) => (await redis.dbsize()) - (await redis.exists('drainshift:copy'));

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let looks = 0; !(await holds()); looks += 1) {
    if (looks > 500) throw new Error(`${what} must come, got no end`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describeWithEachStore('a switch whose target replicates', (command) => {
  let stores: TwoStores;
  let source: Redis;
  let target: Redis;
  let writer: Writer | undefined;
  beforeEach(async () => {
    stores = await TwoStores.start(command);
    ({ source, target } = stores);
    await fill(source);
    // Another database than that of the URL.
    await source.multi().select(3).set('elsewhere', 'too').select(0).exec();
  });
  afterEach(async () => {
    await writer?.end();
    writer = undefined;
    await stores.stop();
  });

  const timeoutMs = { freeze: 1_000, transfer: 4_000, verify: 2_000, thaw: 2_000 };
  const begin = (plan: object = {}) =>
    stores.begin({ state: { ...stores.state({ method: 'replicate' }), timeoutMs }, maxPauseMs: 8_000, ...plan });
  const write = () => (writer = new Writer([source, target]));
  const expectAll = async (redis: Redis, of: Writer) => {
    const kept = await redis.lrange('log', 0, -1);
    const missing = of.acknowledged.filter((each) => !new Set(kept).has(each));
    expect({ missing, doubled: kept.length - new Set(kept).size }).toEqual({ missing: [], doubled: 0 });
    expect(of.acknowledged.length).toBeGreaterThan(10);
  };

  test('it takes the place of the source behind the decision, and a rollback goes the other way', async () => {
    const writing = write();
    const after = await stores.attempt(begin({ maxPauseMs: 25_000 }));
    expect(after.switches).toMatchObject([{ outcome: 'commit' }]);
    // The pause of the source has ended with it: one that is paused applies nothing.
    await target.set('behind', 'the commit');
    expect(await target.wait(1, 10_000)).toBe(1);
    expect(await source.get('behind')).toBe('the commit');
    expect(after.switches?.[0]?.hook).toMatchObject([
      { part: 'prepare', side: 'target' },
      { part: 'freeze', side: 'source' },
      { part: 'transfer', side: 'target' },
      { part: 'verify', side: 'target', keys: 609 },
      { part: 'thaw', side: 'target' },
    ]);
    expect([await role(source), await role(target)]).toEqual(['slave', 'master']);
    const run = await confirm(after, stores.cloud.ports, stores.cloud.nowMs);
    stores.cloud.smoke.target = 502;
    const restored = await stores.back(await bake(run, stores.cloud.ports, stores.cloud.nowMs));
    expect(restored).toMatchObject({ verdict: 'restored', switches: [{ to: 'target' }, { to: 'source' }] });
    expect([await role(source), await role(target)]).toEqual(['master', 'slave']);
    await writing.end();
    await expectAll(source, writing);
    await until('the last write at the replica', async () => (await digest(source)) === (await digest(target)));
    expect(await source.exists('drainshift:copy')).toBe(0);
  });

  test('an abort leaves the target as an empty primary, and the source as it was', async () => {
    const writing = write();
    stores.before = async (side, call) => {
      // Between the rest and what is compared: a key that the source has not.
      if (side === 'source' && call === 'freeze') {
        await target.config('SET', 'replica-read-only', 'no');
        await target.set('planted', '1');
      }
    };
    const aborted = await stores.attempt(begin());
    expect(aborted.switches).toMatchObject([{ outcome: 'abort' }]);
    expect(aborted.switches?.[0]?.hook?.find(({ part }) => part === 'verify')?.problem).toMatch(
      /^both stores must hold the same, got 6\d\d and 6\d\d keys in db0/,
    );
    expect(aborted.switches?.[0]).not.toHaveProperty('left');
    expect([await role(source), await role(target)]).toEqual(['master', 'master']);
    expect(await target.info('keyspace')).not.toContain('db');
    await writing.end();
    await expectAll(source, writing);
    expect(await source.exists('drainshift:copy')).toBe(0);
  });

  test('what it may not take the place of is named before anything is written, in preflight too', async () => {
    const rule = 'the store of the target must be a primary without keys, or replicate that of the source';
    await target.multi().select(5).set('own', 'of the target').select(0).exec();
    await expect(preflight(begin(), stores.cloud.ports, stores.cloud.nowMs)).rejects.toThrow(`${rule}, got 1 keys`);
    const failed = await stores.attempt(begin({ attempts: 1 }));
    expect(failed.failure?.message).toContain(rule);
    expect(await source.exists('drainshift:copy')).toBe(0);
    expect(await role(target)).toBe('master');
    await target.flushall();
    // As a service that has none of these commands.
    await source.call('ACL', 'SETUSER', 'steps', '-failover', '-replicaof');
    await expect(preflight(begin(), stores.cloud.ports, stores.cloud.nowMs)).rejects.toThrow(
      "the store of the source must allow REPLICAOF, FAILOVER, got a user or a service that may not: method 'copy' needs none of them",
    );
  });

  test('a target that may not log in as a replica is an error that says by which settings', async () => {
    await source.config('SET', 'requirepass', 'of the source');
    stores.before = (side, call) => {
      // Time passes.
      if (side === 'target' && call === 'readState') stores.cloud.nowMs += 3_000;
      return Promise.resolve();
    };
    const run = begin({ attempts: 1 });
    // Looked at for as long as a link may take.
    const failed = await stores.attempt(run);
    expect(failed.failure?.message).toContain('it logs in by its settings masteruser and masterauth');
    await until('an empty primary', async () => (await role(target)) === 'master' && (await count(target)) === 0);
  });

  test('who stops while it is copied finds an empty primary', async () => {
    stores.before = (side, call) => {
      // Time passes: what it has come to is found by the next call.
      if (side === 'target' && call === 'readState') stores.cloud.nowMs += 5_000;
      return Promise.resolve();
    };
    await source.config('SET', 'repl-diskless-sync-delay', '2');
    const copying = await stores.step(begin());
    expect(copying).toMatchObject({ verdict: 'wait', preparation: { isReady: false, starts: 1 } });
    const stopped = await stores.back(rollBack(copying, 'Aborted', 'an operator asked'));
    expect(stopped).toMatchObject({ verdict: 'restored' });
    expect([await role(target), await count(target)]).toEqual(['master', 0]);
    expect(await source.exists('drainshift:copy')).toBe(0);
  });

  test('where the user may not pause writes, the failover carries along what is written meanwhile', async () => {
    await source.call('ACL', 'SETUSER', 'steps', '-client|pause');
    const writing = write();
    const after = await stores.attempt(begin());
    expect(after.switches).toMatchObject([{ outcome: 'commit' }]);
    expect([await role(source), await role(target)]).toEqual(['slave', 'master']);
    await writing.end();
    await expectAll(target, writing);
  });

  test('a target that was a replica before is one behind an abort', async () => {
    await target.replicaof('127.0.0.1', stores.servers.source.port);
    const aborted = await stores.attempt(begin({ dryRun: true }));
    expect(aborted.switches).toMatchObject([{ outcome: 'abort' }]);
    expect(await role(target)).toBe('slave');
    expect(await source.set('still', 'writes')).toBe('OK');
    await until('the write at the replica', async () => (await target.get('still')) === 'writes');
    expect(await source.exists('drainshift:copy')).toBe(0);
  });

  test('a failover that could not be asked for is made by the next call, before anything else', async () => {
    const writing = write();
    stores.before = (_, call) =>
      call === 'failOver' || call === 'promote' ? Promise.reject(new Error('no network')) : Promise.resolve();
    const stuck = await stores.attempt(begin());
    expect(stuck.switches).toMatchObject([{ outcome: 'commit', frozen: 'target' }]);
    stores.before = () => Promise.resolve();
    const after = await stores.step(stuck);
    expect(after).toMatchObject({ switches: [{ outcome: 'commit' }] });
    expect([await role(source), await role(target)]).toEqual(['slave', 'master']);
    await writing.end();
    await expectAll(target, writing);
  });

  test('where no failover succeeds, the target is promoted by itself, and the source follows it', async () => {
    const writing = write();
    stores.before = (_, call) => (call === 'failOver' ? Promise.reject(new Error('no failover')) : Promise.resolve());
    const after = await stores.attempt(begin());
    expect(after.switches).toMatchObject([{ outcome: 'commit' }]);
    expect(after.switches?.[0]).not.toHaveProperty('frozen');
    await until('a source that follows', async () => (await digest(source)) === (await digest(target)));
    expect([await role(source), await role(target)]).toEqual(['slave', 'master']);
    await writing.end();
    await expectAll(target, writing);
  });

  test.each(['source', 'target'] as const)('a %s that dies before it is copied rolls back', async (dies) => {
    stores.before = (_, call) => (call === 'replicate' ? stores.servers[dies].stop() : Promise.resolve());
    const failed = await stores.attempt(begin({ attempts: 1 }));
    expect(failed).toMatchObject({ verdict: 'rollBack' });
    if (dies === 'target') expect(await source.set('still', 'writes')).toBe('OK');
  });

  // `behind`: at the first call that follows it.
  const kills: ['source' | 'target', 'at' | 'behind', keyof StoreServer, 'abort' | 'commit'][] = [
    ['source', 'at', 'freeze', 'abort'],
    ['target', 'at', 'freeze', 'abort'],
    ['source', 'behind', 'freeze', 'abort'],
    ['target', 'behind', 'freeze', 'abort'],
    ['source', 'at', 'failOver', 'commit'],
    ['target', 'at', 'failOver', 'commit'],
    ['source', 'behind', 'failOver', 'commit'],
    ['target', 'behind', 'failOver', 'commit'],
    ['target', 'at', 'thaw', 'commit'],
  ];
  test.each(kills)('%s killed %s %s: %s, and no acknowledged write is lost', async (dies, when, at, outcome) => {
    const writing = write();
    let isDead = false;
    let isSeen = false;
    stores.before = async (_, call) => {
      const isInHold = stores.cloud.switches.regime?.switching !== undefined;
      const isNow = when === 'at' ? call === at : isSeen;
      isSeen ||= isInHold && call === at;
      if (!isNow || isDead || !isInHold) return;
      isDead = true;
      await stores.servers[dies].stop();
    };
    const state = { ...stores.state({ method: 'replicate' }), timeoutMs: { ...timeoutMs, thaw: 1_000 } };
    const after = await stores.attempt(begin({ attempts: 1, state }));
    expect(after.switches).toMatchObject([{ outcome }]);
    const alive = dies === 'source' ? target : source;
    // Its writes would wait for the rest of the pause.
    if (dies === 'target') await source.client('UNPAUSE');
    await writing.end();
    const [record] = after.switches ?? [];
    const thaw = record?.hook?.filter(({ part }) => part === 'thaw').at(-1);
    if (dies === 'target' && outcome === 'commit') {
      // Nothing can serve for a store that is dead; the source holds all.
      expect(record?.frozen).toBe('target');
      expect(thaw?.problem).toContain('the store of the target must become a primary, got');
      // One that died as the primary leaves a replica, which has all that it had.
      const isReplica = (await role(source)) === 'slave';
      expect(thaw?.problem?.includes('no store is a primary')).toBe(isReplica);
      expect(isReplica || at === 'failOver').toBe(true);
    } else if (dies === 'source' && outcome === 'commit') {
      expect(record).not.toHaveProperty('frozen');
      expect(await role(target)).toBe('master');
    } else {
      expect(record?.frozen).toBe(dies === 'source' ? 'source' : undefined);
    }
    if (dies !== 'source' || outcome === 'commit') await expectAll(alive, writing);
  });
});

describeWithEachStore('a replica over TLS, with the commands of the docs alone', (command) => {
  test('takes the place of the source, and a rollback goes the other way', async () => {
    const tls = await makeTlsFiles();
    const unused = ['+scan', '+dump', '+restore', '+psubscribe', '+config|get', '+config|set'];
    const rules = listDocumentedRules().filter((rule) => !unused.includes(rule));
    const more = ['+replicaof', '+failover', '+flushall', '+discard', '+randomkey'];
    const stores = await TwoStores.start(command, { tls, rules: [...rules, ...more] });
    const { cloud, source, target } = stores;
    for (const each of [source, target]) {
      await each.call('ACL', 'SETUSER', 'replica', 'on', '>of replicas', '-@all', '+psync', '+replconf', '+ping');
      await each.config('SET', 'masteruser', 'replica');
      await each.config('SET', 'masterauth', 'of replicas');
      await each.call('ACL', 'SETUSER', 'default', 'resetpass', '>of nothing here');
    }
    await fill(source);
    const after = await stores.attempt(stores.begin({ state: stores.state({ method: 'replicate' }) }));
    expect(after.switches).toMatchObject([{ outcome: 'commit' }]);
    expect([await role(source), await role(target)]).toEqual(['slave', 'master']);
    const run = await confirm(after, cloud.ports, cloud.nowMs);
    await target.set('cart:0', 'changed at the target');
    cloud.smoke.target = 502;
    const restored = await stores.back(await bake(run, cloud.ports, cloud.nowMs));
    expect(restored).toMatchObject({ verdict: 'restored', switches: [{ to: 'target' }, { to: 'source' }] });
    expect([await role(source), await role(target)]).toEqual(['master', 'slave']);
    expect(await source.get('cart:0')).toBe('changed at the target');
    await stores.stop();
    tls.remove();
  });
});

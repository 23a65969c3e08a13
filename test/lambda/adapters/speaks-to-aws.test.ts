import { readFileSync } from 'node:fs';
import { AddressInfo, createServer } from 'node:net';
import { DescribeTagsCommand } from '@aws-sdk/client-elastic-load-balancing-v2';
import pino from 'pino';
import { begin } from '../../../core/cutover/run';
import { buildEvidence } from '../../../core/cutover/evidence';
import { forwardFor, findWeights } from '../../../core/traffic/forward';
import { API_LIMITS } from '../../../core/plan/api-calls';
import { parsePlan } from '../../../core/plan/plan';
import { SIDES } from '../../../core/traffic/weights';
import { formatMark } from '../../../core/cutover/verified-mark';
import { CutoverConfig } from '../../../core/cutover/cutover-config';
import { loadBalancerPort } from '../../../lambda/adapters/load-balancer/load-balancer';
import { proxiesPort } from '../../../lambda/adapters/proxies/proxies';
import { personStorePort } from '../../../lambda/adapters/store/person-store';
import { storePort } from '../../../lambda/adapters/store/store';
import { readConfig } from '../../../proxy/config/config';
import { RunningProxy, startProxy } from '../../../proxy/control/proxy';
import { EcsTask } from '../../../rehearsal/tasks/model';
import { cutoverConfig } from '../../rehearsal/aws/deployed';
import { ARNS, LocalCloud, startLocalCloud } from '../../rehearsal/aws/world';
import { callEndpoint } from './world';

let cloud: LocalCloud;
let proxies: RunningProxy[] = [];
const SECRET = 'an admin secret of tests';

beforeEach(async () => {
  cloud = await startLocalCloud();
  callEndpoint(cloud.url);
});
afterEach(async () => {
  await Promise.all(proxies.map((proxy) => proxy.close()));
  proxies = [];
  await cloud.stop();
});

const config = (over: Partial<CutoverConfig> = {}): CutoverConfig => ({ ...cutoverConfig(1), ...over });

describe('the load balancer', () => {
  const port = () => loadBalancerPort(config());

  test('what is set reads back the same, and the other rules stay as they were', async () => {
    const before = await port().rules();
    const stickiness = { enabled: true, seconds: 3600 };
    const intended = forwardFor({ source: 0, target: 100 }, port().groupArns, stickiness);
    await port().setForward(intended);
    const after = await port().rules();
    const own = after.find(({ arn }) => arn === ARNS.rule);
    expect(own?.forward).toEqual(intended);
    expect(findWeights(intended, port().groupArns)).toEqual({ source: 0, target: 100 });
    const others = (readings: typeof after) => readings.filter(({ arn }) => arn !== ARNS.rule);
    expect(others(after)).toEqual(others(before));
  });

  test('a throttled call is repeated until it succeeds', async () => {
    cloud.endpoint.faults.set({ action: 'ModifyRule' }, { kind: 'throttle' }, { times: 2 });
    await port().setForward(forwardFor({ source: 1, target: 1 }, port().groupArns, { enabled: true, seconds: 60 }));
    expect(cloud.calls.filter(({ action }) => action === 'ModifyRule').map(({ status }) => status)).toEqual([
      400, 400, 200,
    ]);
  });

  test('the mark of a finished cutover reads back, whatever its name, and no other tag of the rule is touched', async () => {
    const tags = () => cloud.elb.send(new DescribeTagsCommand({ ResourceArns: [ARNS.rule] }));
    const before = (await tags()).TagDescriptions?.[0]?.Tags ?? [];
    expect(await port().marks()).toEqual({});
    const mark = formatMark({ execution: "Ümzug (1)!'@home", startedAt: '2026-01-01T00:00:00.000Z' });
    expect(mark).toMatch(/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,256}$/u);
    await port().mark('verified', mark);
    expect(await port().marks()).toEqual({ verified: mark });
    await port().mark('rollingBack', mark);
    expect(await port().marks()).toEqual({ verified: mark, rollingBack: mark });
    expect((await tags()).TagDescriptions?.[0]?.Tags).toEqual([
      ...before,
      { Key: 'drainshift:verified', Value: mark },
      { Key: 'drainshift:rolling-back', Value: mark },
    ]);
  });

  test('only targets in state healthy are counted', async () => {
    expect(await port().healthyTargets('source')).toBe(1);
  });
});

describe('the store', () => {
  const run = (execution: string) => begin(execution, '2026-01-01T00:00:00.000Z', parsePlan({}));

  test('of two cutovers that start at once, exactly one gets the lock', async () => {
    const results = await Promise.allSettled(['a', 'b'].map((name) => storePort('store').acquire(run(name))));
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const holder = (await storePort('store').holder())?.execution ?? '';
    const loser = results.find((result) => result.status === 'rejected');
    expect(loser?.reason).toMatchObject({ code: 'LockHeld' });
    expect(String((loser as PromiseRejectedResult).reason)).toContain(`held by '${holder}'`);
    await expect(storePort('store').acquire(run(holder))).resolves.toBeUndefined();
  });

  test('that people were notified of a damaged lock is noted once, for one execution', async () => {
    const store = storePort('store');
    expect(await store.wasNotified('a')).toBe(false);
    await store.noteNotified('a');
    await store.noteNotified('a');
    expect([await store.wasNotified('a'), await store.wasNotified('b')]).toEqual([true, false]);
  });

  test('only the holder saves and frees', async () => {
    const store = storePort('store');
    await store.acquire(run('a'));
    await expect(store.save(run('b'))).rejects.toMatchObject({ code: 'LockLost' });
    await store.release('b');
    expect((await store.holder())?.execution).toBe('a');
    await store.save({ ...run('a'), waitSeconds: 42 });
    expect((await store.holder())?.waitSeconds).toBe(42);
    await store.release('a');
    expect(await store.holder()).toBeUndefined();
    await expect(store.save(run('a'))).rejects.toMatchObject({ code: 'LockLost' });
  });

  test('while an execution is put back, its own steps save nothing any more', async () => {
    const store = storePort('store');
    await store.acquire(run('a'));
    await store.save({ ...run('a'), verdict: 'rollBack' });
    await expect(store.save(run('a'))).rejects.toMatchObject({ code: 'LockLost' });
  });

  test('evidence is written once, and replaced only when it said failed', async () => {
    const store = storePort('store');
    const said = (outcome: 'completed' | 'failed' | 'rolled-back') =>
      store.putEvidence(buildEvidence(run('a'), outcome, 0));
    const outcome = () =>
      (JSON.parse(String(cloud.objects.find('store', 'evidence/a.json')?.body)) as { outcome: string }).outcome;
    expect(await store.hasEvidence('a')).toBe(false);
    await said('failed');
    await said('rolled-back');
    expect(outcome()).toBe('rolled-back');
    await said('failed');
    expect(outcome()).toBe('rolled-back');
    expect(await store.hasEvidence('a')).toBe(true);
  });

  test('what the judge was given comes back by its number, and is counted without being read', async () => {
    const store = storePort('store');
    expect(await store.looks('a', 1)).toBeUndefined();
    const records = (at: number) => [{ kind: 'restart' as const, at }];
    for (let number = 1; number <= 40; number += 1) await store.putLooks('a', number, records(number));
    await store.putLooks('a', 7, records(700));
    expect(await store.looks('a', 7)).toEqual(records(700));
    const gets = () => cloud.calls.filter(({ action }) => action === 'GetObject').length;
    const before = gets();
    expect([await store.countLooks('a', 1), await store.countLooks('a', 40)]).toEqual([40, 40]);
    expect(gets()).toBe(before);
    const held = { prefix: 'looks/a/', objects: 41 };
    cloud.objects.put('store', 'looks/a/000003.json', Buffer.from('{"cut'));
    const texts = await personStorePort('store').readLooks(held);
    expect(texts.length).toBe(41);
    expect(texts[40]).toBeUndefined();
    expect(texts[6]).toBe('[{"kind":"restart","at":700}]');
    expect(texts[2]).toBeUndefined();
  });

  test('an approval is read, but not one that is longer than an approval can be', async () => {
    const store = storePort('store');
    const write = (text: string) => cloud.objects.put('store', 'approval/night/first-shift.json', Buffer.from(text));
    expect(await store.approval('night', 'firstShift')).toBeUndefined();
    for (const text of ['', 'x'.repeat(4096)]) {
      write(text);
      expect((await store.approval('night', 'firstShift'))?.text).toBe(text);
    }
    write('x'.repeat(1_000_000));
    expect(await store.approval('night', 'firstShift')).toEqual({
      text: undefined,
      writtenAtMs: expect.any(Number) as number,
    });
  });

  test('an abort is asked for by an object under the name of the execution', async () => {
    const store = storePort('store');
    expect(await store.abortRequested('a')).toBe(false);
    cloud.objects.put('store', 'abort/a.json', Buffer.from(''));
    expect(await store.abortRequested('a')).toBe(true);
    expect(await store.abortRequested('b')).toBe(false);
  });
});

describe('the proxies', () => {
  async function startTasks(): Promise<number> {
    const environment = {
      DRAINSHIFT_ADMIN_SECRET: SECRET,
      DRAINSHIFT_LISTEN: '127.0.0.1:0',
      DRAINSHIFT_ADMIN: '127.0.0.1:0',
      DRAINSHIFT_UPSTREAM: 'http://127.0.0.1:1',
      DRAINSHIFT_LOG_LEVEL: 'silent',
    };
    const config = readConfig({
      flags: {},
      environment,
      file: undefined,
      readText: (path) => readFileSync(path, 'utf8'),
    });
    const proxy = await startProxy(config, pino({ level: 'silent' }));
    proxies.push(proxy);
    cloud.secrets.put({ arn: ARNS.secret, name: 'admin' }, SECRET);
    for (const task of cloud.ecsModel.tasks.values())
      Object.assign(task, { ip: '127.0.0.1' } satisfies Partial<EcsTask>);
    return proxy.admin?.port ?? 0;
  }

  test('every running task of a side is asked with the secret, and asked to drain and to serve again', async () => {
    const port = proxiesPort(config({ adminPort: await startTasks() }));
    const [task] = await port.tasks('source');
    expect(task).toMatchObject({ address: '127.0.0.1', report: { state: 'serving', active: { http: 0 } } });
    await port.drain('127.0.0.1', {
      perKindSeconds: { http: 0, websocket: 0, grpcStream: 0, serverSentEvents: 0, streaming: 0 },
      closeRatePerSecond: 1,
      jitter: 0,
    });
    expect((await port.tasks('source'))[0]?.report?.state).toBe('drained');
    await port.undrain('127.0.0.1', {});
    expect((await port.tasks('source'))[0]?.report?.state).toBe('serving');
  });

  test('a rejected signature and a dead port are reported for each task, by address', async () => {
    const adminPort = await startTasks();
    // Twice: the one before the current one is let in, too.
    for (const which of ['another', 'the next'])
      cloud.secrets.put({ arn: ARNS.secret, name: 'admin' }, `${which} secret of tests`);
    const [refused] = await proxiesPort(config({ adminPort })).tasks('source');
    expect(refused).toMatchObject({
      life: 'running',
      problem: expect.stringContaining(
        `GET http://127.0.0.1:${adminPort}/drain-status must respond with 2xx, got 401`,
      ) as string,
    });
    const dead = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => dead.once('listening', resolve));
    const { port } = dead.address() as AddressInfo;
    await new Promise((resolve) => dead.close(resolve));
    const [silent] = await proxiesPort(config({ adminPort: port })).tasks('source');
    expect(silent).toMatchObject({
      life: 'running',
      problem: expect.stringContaining('ECONNREFUSED') as string,
    });
  });
});

test('a check of both sides calls each API as often as `plan explain` counts', async () => {
  const balancer = loadBalancerPort(config());
  const proxies = proxiesPort(config());
  await Promise.all([
    balancer.rules(),
    ...SIDES.flatMap((side) => [balancer.healthyTargets(side), proxies.tasks(side)]),
  ]);
  const count = (service: string) => cloud.calls.filter((call) => call.service === service).length;
  expect(count('elasticloadbalancing')).toBe(API_LIMITS.elasticLoadBalancing.callsPerLook);
  expect(count('ecs')).toBe(API_LIMITS.ecs.callsPerLook);
});

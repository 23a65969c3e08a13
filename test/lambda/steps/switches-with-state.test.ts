import http, { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TransferableState } from '../../../app';
import { CutoverRun, rollBack } from '../../../core/cutover/run';
import type { HookCall } from '../../../core/switch/hook';
import type { Side } from '../../../core/traffic/weights';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { preflight } from '../../../lambda/steps/preflight';
import { rollback } from '../../../lambda/steps/rollback';
import { switchStep } from '../../../lambda/steps/switch';
import { callBackend } from '../../../proxy/backend-calls/backend-call';
import { StateTransfers } from '../../../proxy/backend-calls/state-transfers';
import { later, stopAll } from '../../proxy/support/world';
import { SwitchCloud } from './switch-cloud';

/** An application with its carts in its own memory, whose calls a test may meddle with. */
class App {
  readonly carts = new Map<string, unknown>();
  readonly seen: string[] = [];
  readonly state = new TransferableState({ path: '/state', maps: { carts: this.carts } });
  /** In place of what it does with a call: `import`, `DELETE import`. */
  instead: (call: string, ...given: Parameters<RequestListener>) => boolean = () => false;
  port = 0;

  async start(): Promise<this> {
    const server = http.createServer((request, response) => {
      const [, part = ''] = /^\/state\/(\w+)/.exec(request.url ?? '') ?? [];
      const call = request.method === 'DELETE' ? `DELETE ${part}` : part;
      this.seen.push(call);
      if (!this.instead(call, request, response)) this.state.handle(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    later(() => {
      server.closeAllConnections();
      server.close();
    });
    this.port = (server.address() as AddressInfo).port;
    return this;
  }

  get all(): object {
    return Object.fromEntries(this.carts);
  }
}

let cloud: SwitchCloud;
let source: App;
let target: App;

/** Each task is a process of its own. */
function connect(): void {
  const upstream = ({ port }: App) => ({ protocol: 'http' as const, host: '127.0.0.1', port });
  const upstreams = { source: upstream(source), target: upstream(target) };
  for (const task of cloud.proxies) {
    const transfers = new StateTransfers(upstreams);
    task.called = (order) => callBackend(order, upstreams);
    task.transferred = (order) => transfers.follow(order);
  }
}

beforeEach(async () => {
  cloud = new SwitchCloud();
  [source, target] = await Promise.all([new App().start(), new App().start()]);
  for (let at = 0; at < 50; at += 1) source.carts.set(`${at}`, [`thing ${at}`]);
  connect();
});
afterEach(async () => {
  cloud.end();
  await stopAll();
});

const STATE = { http: { path: '/state' } };
const start = (plan: object = {}): CutoverRun => cloud.switching({ state: STATE, ...plan });
const step = (run: CutoverRun) => switchStep(run, cloud.ports, cloud.nowMs);
const back = (run: CutoverRun) => rollback(run, cloud.ports, cloud.nowMs);
const parts = ({ switches = [] }: CutoverRun) => switches.map(({ hook = [] }) => hook.map(({ part }) => part));

test('the state is copied before the hold, the rest in it, and both sides agree before the decision', async () => {
  const export_ = source.state;
  // A client writes behind the copy, while the source serves.
  source.instead = (call) => (call === 'freeze' && source.carts.set('0', 'changed'), false);
  const after = await step(start());
  expect(after.switches).toMatchObject([{ outcome: 'commit' }]);
  const [{ hook } = { hook: undefined }] = after.switches ?? [];
  expect(hook).toMatchObject([
    { part: 'prepare', side: 'target', keys: 50 },
    { part: 'freeze', side: 'source' },
    { part: 'transfer', side: 'target', keys: 1 },
    { part: 'verify', side: 'target', keys: 50 },
    { part: 'thaw', side: 'target' },
  ]);
  expect(hook?.[2]?.bytes).toBeLessThan(100);
  expect(target.all).toEqual(source.all);
  expect([export_.isFrozen, target.state.isFrozen]).toEqual([true, false]);
});

test('a key that changed on the way aborts the switch by name: nothing stays at the target, and the source goes on', async () => {
  target.carts.set('old', 'of the target');
  target.instead = (call) => (call === 'digest' && target.carts.set('7', 'planted'), false);
  const after = await step(start());
  expect(after).toMatchObject({ verdict: 'wait', switches: [{ outcome: 'abort' }] });
  expect(parts(after)).toEqual([['prepare', 'freeze', 'transfer', 'verify', 'thaw', 'discard']]);
  expect(after.switches?.[0]?.hook?.[3]?.problem).toBe(
    "both sides must hold the same, got 1 that differ: 'carts/7' differs",
  );
  expect(target.all).toEqual({ old: 'of the target' });
  expect(source.state.isFrozen).toBe(false);
  expect(cloud.ask()).toEqual(['source', 'source', 'target']);
  target.instead = () => false;
  // The next attempt begins with a copy of its own.
  expect((await step(after)).switches).toMatchObject([{ outcome: 'abort' }, { outcome: 'commit' }]);
  expect(target.all).toEqual(source.all);
});

test('what cannot be discarded is named in the record', async () => {
  target.instead = (call, _, response) => {
    if (call === 'digest') target.carts.set('7', 'planted');
    if (call === 'DELETE import') response.writeHead(500).end();
    return call === 'DELETE import';
  };
  expect((await step(start())).switches).toMatchObject([{ outcome: 'abort', left: 'target' }]);
});

test('a copy that takes longer than a poll is followed by the next ones, and says how far it is', async () => {
  let go: () => void = () => undefined;
  source.instead = (call, request, response) => {
    if (call !== 'export' || request.url?.includes('since')) return false;
    response.write(`${JSON.stringify(['carts', 'a', 1])}\n`);
    go = () => void response.end();
    return true;
  };
  // No poll waits for long here.
  for (const task of cloud.proxies) {
    const { transferred } = task;
    task.transferred = (order) => transferred({ ...order, waitMs: Math.min(order.waitMs, 200) });
  }
  const copying = await step(start());
  expect(copying).toMatchObject({ verdict: 'wait', waitSeconds: 1, preparation: { isReady: false, bytes: 16 } });
  expect(copying.switches).toBeUndefined();
  expect(cloud.switches.regime?.switching).toBeUndefined();
  go();
  const ready = await step(copying);
  expect(ready.preparation).toMatchObject({ isReady: true, starts: 1, keys: 1 });
});

test('the task that copies is gone: another one begins anew', async () => {
  source.instead = (call, _, response) => call === 'export' && response.write('x');
  for (const task of cloud.proxies) {
    const { transferred } = task;
    task.transferred = (order) => transferred({ ...order, waitMs: Math.min(order.waitMs, 200) });
  }
  const copying = await step(start());
  const gone = copying.preparation?.task;
  expect(gone).toBeDefined();
  source.instead = () => false;
  for (const task of cloud.proxies) if (task.id === gone) task.transferred = () => Promise.reject(new Error('gone'));
  let run = copying;
  while (run.preparation?.task === gone) run = await step(run);
  expect(run.preparation).toMatchObject({ starts: 2, isReady: true, keys: 50 });
});

test('a copy that fails is tried as often as the switch, and then nothing has moved', async () => {
  target.instead = (call, _, response) =>
    call === 'import' && void response.writeHead(422).end('{"ok":false,"why":"full"}') === undefined;
  const once = await step(start({ attempts: 2, attemptSeconds: 7 }));
  expect(once).toMatchObject({ verdict: 'wait', waitSeconds: 7, preparation: { failures: 1 } });
  expect(await step(once)).toMatchObject({
    verdict: 'rollBack',
    failure: {
      code: 'SwitchAborted',
      message:
        "the state must be copied to the target before the hold, got: 'import' of the target must respond with 200, got 422: full",
    },
  });
  expect(source.state.isFrozen).toBe(false);
});

test('who stops while it is copied finds nothing of it at the target', async () => {
  source.instead = (call, _, response) => call === 'export' && response.write(`${JSON.stringify(['carts', 'a', 1])}\n`);
  for (const task of cloud.proxies) {
    const { transferred } = task;
    task.transferred = (order) => transferred({ ...order, waitMs: Math.min(order.waitMs, 200) });
  }
  const copying = await step(start());
  expect(target.all).toEqual({ a: 1 });
  expect(await back(rollBack(copying, 'Aborted', 'an operator asked'))).toMatchObject({ verdict: 'restored' });
  expect(target.all).toEqual({});
  expect(target.seen).toContain('DELETE import');
});

test('a function that dies before the decision leaves nothing frozen, and nothing at the target', async () => {
  const run = start();
  cloud.switches.before = (call) => (call === 'decide' ? Promise.reject(new Error('died')) : Promise.resolve());
  await expect(step(run)).rejects.toThrow('died');
  cloud.switches.before = () => Promise.resolve();
  expect([source.state.isFrozen, target.carts.size]).toEqual([true, 50]);
  await back(rollBack(run, 'Aborted', 'an operator asked'));
  expect([source.state.isFrozen, target.carts.size]).toEqual([false, 0]);
});

test.each([
  ['behind the decision: what clients have written at the target since then stays', 'settle', 'commit'],
  ['in the hold, before anything was carried: nothing is decided without the state', 'hold', 'abort'],
])('a function dies %s', async (_, at, outcome) => {
  const run = start();
  cloud.switches.before = (call) => {
    const isSettling = at === 'settle' && call === 'writeRegime' && cloud.switches.decisions.size > 0;
    const isHolding = at === 'hold' && call === 'writeRegime' && (cloud.switches.regime?.switching?.members ?? false);
    const isDeciding = at === 'hold' && call === 'decide';
    return isSettling || isHolding || isDeciding ? Promise.reject(new Error('died')) : Promise.resolve();
  };
  await expect(step(run)).rejects.toThrow('died');
  cloud.switches.before = () => Promise.resolve();
  if (at === 'settle') target.carts.set('0', 'written at the target');
  // The processes that copied are gone, and know of no copy.
  connect();
  const after = await step(run);
  expect(after.switches).toMatchObject([{ outcome, isResumed: true }]);
  if (at === 'settle') expect(target.all).toMatchObject({ 0: 'written at the target', 49: ['thing 49'] });
  else expect([source.state.isFrozen, target.all]).toEqual([false, {}]);
});

/** A committed switch whose bake fails. */
async function fail(plan: object): Promise<CutoverRun> {
  const run = await confirm(await step(start(plan)), cloud.ports, cloud.nowMs);
  // Sessions go on, on the target.
  target.carts.set('0', 'changed at the target').delete('1');
  cloud.smoke.target = 502;
  return bake(run, cloud.ports, cloud.nowMs);
}

test('a rollback takes what was written at the target back along', async () => {
  const restored = await back(await fail({}));
  expect(restored).toMatchObject({ verdict: 'restored', switches: [{ to: 'target' }, { to: 'source' }] });
  expect(parts(restored)[1]).toEqual(['prepare', 'freeze', 'transfer', 'verify', 'thaw']);
  expect(source.all).toMatchObject({ 0: 'changed at the target', 2: ['thing 2'] });
  expect(source.carts.has('1')).toBe(false);
  expect([source.state.isFrozen, target.state.isFrozen]).toEqual([false, true]);
});

test('where the writes may be lost, a rollback leaves the source its own state', async () => {
  const restored = await back(await fail({ pointOfNoReturn: 'acceptLoss' }));
  expect(restored).toMatchObject({ verdict: 'restored' });
  expect(parts(restored)[1]).toEqual(['freeze', 'thaw']);
  expect(source.all).toMatchObject({ 0: ['thing 0'], 1: ['thing 1'] });
});

test('a copy back that cannot be made leaves the target as it is, and says why', async () => {
  const failed = await fail({});
  source.instead = (call, _, response) => call === 'import' && void response.writeHead(404).end() === undefined;
  const staying = await back(failed);
  expect(staying).toMatchObject({ verdict: 'wait' });
  expect(JSON.stringify(staying.rollback)).toContain('the state must be copied back to the source');
  expect(target.carts.get('0')).toBe('changed at the target');
  expect(cloud.ask()).toEqual(['target', 'target', 'target']);
});

test('preflight shows that each path of the state responds at both sides', async () => {
  await preflight(start(), cloud.ports, cloud.nowMs);
  for (const { seen } of [source, target])
    expect([...new Set(seen)].sort()).toEqual(['digest', 'export', 'freeze', 'import', 'thaw']);
  target.instead = (call, _, response) => call === 'digest' && void response.writeHead(404).end() === undefined;
  await expect(preflight(start(), cloud.ports, cloud.nowMs)).rejects.toThrow(
    'the target must respond with less than 400 to OPTIONS /state/digest, a path of the hook, got 404',
  );
});

describe('a function', () => {
  const arn = 'arn:aws:lambda:eu-central-1:111122223333:function:state';
  const calls: string[] = [];
  let digests: Partial<Record<Side, string>> = {};
  let looks = 0;

  beforeEach(() => {
    calls.length = 0;
    digests = {};
    looks = 0;
    cloud.invoke = (_, event) => {
      const { part, side, epoch } = event as HookCall;
      calls.push(`${part} ${side}`);
      if (part === 'prepare')
        return Promise.resolve({ ok: true, epoch, done: ++looks > 1, bytes: 10 * looks, keys: looks });
      return Promise.resolve(
        part === 'verify' && digests[side] ? { ok: false, why: digests[side] } : { ok: true, epoch },
      );
    };
  });
  const begin = () => start({ state: { functionArn: arn } });

  test('is called for each part, and again until it says that the copy is made', async () => {
    const copying = await step(begin());
    expect(copying).toMatchObject({ verdict: 'wait', preparation: { bytes: 10, keys: 1, isReady: false } });
    const after = await step(copying);
    expect(after.switches).toMatchObject([
      { outcome: 'commit', hook: [{ part: 'prepare', bytes: 20, keys: 2 }, {}, {}, {}, {}] },
    ]);
    expect(calls).toEqual([
      'prepare target',
      'prepare target',
      'freeze source',
      'transfer target',
      'verify target',
      'thaw target',
    ]);
  });

  test('is called to discard behind an abort', async () => {
    digests = { target: 'cart 7 differs' };
    const after = await step(await step(begin()));
    expect(after.switches).toMatchObject([{ outcome: 'abort' }]);
    expect(after.switches?.[0]?.hook?.at(-3)?.problem).toContain('cart 7 differs');
    expect(calls.slice(-2)).toEqual(['thaw source', 'discard target']);
  });
});

import { NO_CAPTURE } from '../../../core/capture/capture-report';
import type { CutoverRun } from '../../../core/cutover/run';
import type { ReplayStatus } from '../../../core/replay/replay-status';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { preflight } from '../../../lambda/steps/preflight';
import { rollback } from '../../../lambda/steps/rollback';
import { switchStep } from '../../../lambda/steps/switch';
import { replayStatus } from '../../support/replay-status';
import { report } from '../world';
import { SwitchCloud } from './switch-cloud';

const REPLAY = { toSource: 'back', verifyPath: '/digest', timeoutMs: { transfer: 300 } };
const WRITE = { id: 'n@target.3.0', method: 'PUT', path: '/carts/7', recordedAt: '2026-01-01T00:00:00.000Z' };

let cloud: SwitchCloud;
/** What the replay to the source says, beside what a healthy one does. */
let says: Partial<ReplayStatus> | undefined;
/** Whether it follows orders. */
let isFollowing: boolean;
/** Of both backends. */
let digests: Record<string, string>;

beforeEach(() => {
  cloud = new SwitchCloud();
  [says, isFollowing] = [{}, true];
  digests = { source: 'same', target: 'same' };
  const follow = (name: string) => {
    if (!says) return undefined;
    const order = cloud.calls.findLast((call) => call.startsWith(`order ${name} to `));
    const caughtUp = isFollowing && order !== undefined && { caughtUp: order.slice(`order ${name} to `.length) };
    return replayStatus(cloud.ports.now(), { servedBy: name === 'back' ? 'target' : 'source', ...caughtUp, ...says });
  };
  cloud.replays = { back: () => follow('back'), forth: () => follow('forth') };
  for (const task of cloud.proxies) {
    task.capture = NO_CAPTURE;
    task.called = ({ to, path, method, body }) => {
      if (method === 'OPTIONS') return { status: 200, body: '' };
      const { epoch } = JSON.parse(body ?? '{}') as { epoch?: number };
      return path === '/digest'
        ? { status: 200, body: JSON.stringify({ ok: true, epoch, digest: digests[to] }) }
        : { status: 404, body: '' };
    };
  }
});
afterEach(() => cloud.end());

const start = (replay: object = {}, plan: object = {}): CutoverRun =>
  cloud.switching({ pointOfNoReturn: 'replay', replay: { ...REPLAY, ...replay }, ...plan });
const step = (run: CutoverRun) => switchStep(run, cloud.ports, cloud.nowMs);
const back = (run: CutoverRun) => rollback(run, cloud.ports, cloud.ports.now());
const lastHook = ({ switches = [] }: CutoverRun) =>
  switches.at(-1)?.hook?.map(({ part, side, problem }) => [part, side, problem]);

/** A committed switch whose bake fails. */
async function fail(replay: object = {}): Promise<CutoverRun> {
  const run = await confirm(await step(start(replay)), cloud.ports, cloud.nowMs);
  cloud.smoke.target = 502;
  return bake(run, cloud.ports, cloud.nowMs);
}

test('a rollback holds, waits until the replay has sent the last write, compares, and switches back', async () => {
  const failed = await fail();
  expect(cloud.calls.filter((call) => call.startsWith('order'))).toEqual([]);
  const restored = await back(failed);
  expect(restored).toMatchObject({
    verdict: 'restored',
    switches: [{ to: 'target' }, { to: 'source', outcome: 'commit' }],
  });
  expect(lastHook(restored)).toEqual([
    ['transfer', 'source', undefined],
    ['verify', 'target', undefined],
    ['verify', 'source', undefined],
  ]);
  expect(cloud.calls.filter((call) => call.startsWith('order'))).toEqual([`order back to ${failed.execution}.2`]);
  expect(cloud.ask()).toEqual(['source', 'source', 'source']);
});

test('a replay that does not end in the hold leaves the target serving, and the first missing write is named', async () => {
  const failed = await fail();
  [isFollowing, says] = [false, { oldest: WRITE, outage: { sinceMs: 0, problem: 'connect ECONNREFUSED' } }];
  const staying = await back(failed);
  expect(staying).toMatchObject({ verdict: 'wait', switches: [{}, { to: 'source', outcome: 'abort' }] });
  expect(lastHook(staying)?.[0]?.[2]).toBe(
    "the rest of the replay 'back' must end within 300 ms, got one that has sent 9 requests and is 1 s behind; PUT /carts/7 of 2026-01-01T00:00:00.000Z (n@target.3.0) is the first that is missing; the source gives no response: connect ECONNREFUSED",
  );
  expect(JSON.stringify(staying.rollback)).toContain('is the first that is missing');
  expect(cloud.ask()).toEqual(['target', 'target', 'target']);
});

test('a replay that is far behind is waited for without a hold, and then the target stays', async () => {
  const failed = await fail({ catchUpSeconds: 60 });
  says = { lagMs: 90_000, oldest: WRITE };
  const waiting = await back(failed);
  expect(waiting).toMatchObject({ verdict: 'wait', waitSeconds: 1 });
  expect(waiting.switches).toHaveLength(1);
  cloud.nowMs += 61_000;
  const staying = await back(waiting);
  expect(JSON.stringify(staying.rollback)).toContain('PUT /carts/7 of 2026-01-01T00:00:00.000Z (n@target.3.0)');
  expect(staying.switches).toHaveLength(1);
  expect(cloud.ask()).toEqual(['target', 'target', 'target']);
  says = {};
  expect(await back(staying)).toMatchObject({ verdict: 'restored' });
});

test.each([
  [
    'digests that differ',
    () => (digests.source = 'other'),
    "must have one digest of both sides, got 'same' and 'other'",
  ],
  [
    'digests that differ behind a write with another outcome',
    () => {
      digests.source = 'other';
      says = { differingWrites: 1, firstDifferingWrite: { ...WRITE, recorded: 201, got: 401 } };
    },
    'the first PUT /carts/7 of 2026-01-01T00:00:00.000Z (n@target.3.0): recorded 201, got 401',
  ],
  [
    'a part of a record that never came',
    () => (says = { missing: 1 }),
    'must have found all parts of the records but the 0 that the proxies have lost, got 1 that never came',
  ],
  ['a write that was left out', () => (says = { skippedWrites: 1 }), 'must have left out no write'],
  ['a replay that starts late', () => (says = { fromTime: 'T' }), 'got one that starts at T (--from-time)'],
  [
    'a replay of another store',
    () => (cloud.proxies[0]!.capture = { ...NO_CAPTURE, store: 's3://other' }),
    "must read the store that the proxies write to (--from), 's3://other', got 's3://capture'",
  ],
  [
    'a proxy that records a share',
    () => (cloud.proxies[0]!.capture = { ...NO_CAPTURE, leavesOut: ['capture_share'] }),
    'must record each write, got some that are left out by capture_share',
  ],
  ['a write that was parked', () => (says = { parked: 1 }), 'must have parked no request, got 1'],
  ['a replay that is gone', () => (says = undefined), 'must follow the capture'],
  [
    'a write without a record',
    () => (cloud.proxies[0]!.capture = { ...NO_CAPTURE, unrecorded: 1 }),
    'must have forwarded no request without a record since their start, got 1',
  ],
  [
    'a proxy that records nothing',
    () => (cloud.proxies[0]!.capture = undefined),
    'every proxy must record its traffic',
  ],
  [
    'records that are not written',
    () => (cloud.proxies[0]!.capture = { ...NO_CAPTURE, pendingBytes: 7 }),
    'all records must be in the store before the decision, got 7 bytes',
  ],
])('%s: nothing is switched back', async (_, plant, message) => {
  const failed = await fail({ catchUpSeconds: 0 });
  plant();
  const staying = await back(failed);
  expect(JSON.stringify(staying.rollback)).toContain(message);
  expect(cloud.ask()).toEqual(['target', 'target', 'target']);
});

test('on the way to the target the other replay is waited for, where there is one', async () => {
  expect(lastHook(await step(start({ toTarget: 'forth' })))?.[0]).toEqual(['transfer', 'target', undefined]);
  expect(cloud.calls.filter((call) => call.startsWith('order'))).toEqual(['order forth to night.1']);
});

test('a replay to the target that is behind aborts the attempt before anything waits', async () => {
  says = { lagMs: 31_000 };
  const after = await step(start({ toTarget: 'forth' }));
  expect(after).toMatchObject({ verdict: 'wait', switches: [{ outcome: 'abort' }] });
  expect(after.switches?.[0]?.why).toContain("the replay 'forth' must be at most 30 s behind, got 31 s");
  expect(cloud.calls.filter((call) => call.startsWith('order'))).toEqual([]);
});

test('preflight needs the replay, and a record of each proxy of both sides', async () => {
  const look = () => preflight({ ...start(), initial: undefined }, cloud.ports, cloud.nowMs);
  const tasks = (given: object) => {
    cloud.tasks = { source: [{ ...report('s1'), ...given }], target: [{ ...report('t1'), ...given }] };
  };
  tasks({});
  await expect(look()).rejects.toMatchObject({ code: 'CaptureIncomplete' });
  tasks({ capture: { ...NO_CAPTURE, leavesOut: ['capture_paths'] } });
  await expect(look()).rejects.toMatchObject({ code: 'CaptureIncomplete' });
  tasks({ capture: { ...NO_CAPTURE, store: 's3://other' } });
  await expect(look()).rejects.toMatchObject({ code: 'ReplayIncomplete' });
  tasks({ capture: NO_CAPTURE });
  says = { lagMs: 31_000 };
  await expect(look()).rejects.toMatchObject({ code: 'ReplayIncomplete' });
});

import { CutoverRun, rollBack } from '../../../core/cutover/run';
import { SUSPENDED } from '../../../core/cutover/scaling';
import type { ProbeOrder } from '../../../core/proxy/probe';
import { withTimeLeft } from '../../../lambda/contract/time-left';
import { bake } from '../../../lambda/steps/bake';
import { complete } from '../../../lambda/steps/complete';
import { confirm } from '../../../lambda/steps/confirm';
import { drain } from '../../../lambda/steps/drain';
import { verify } from '../../../lambda/steps/verify';
import { preflight } from '../../../lambda/steps/preflight';
import { record } from '../../../lambda/steps/record';
import { recover } from '../../../lambda/steps/recover';
import { rollback } from '../../../lambda/steps/rollback';
import { switchStep } from '../../../lambda/steps/switch';
import { ON_SOURCE, ON_TARGET, change } from './safety-rules/cutover';
import { SwitchCloud } from './switch-cloud';
import { report } from '../world';

let cloud: SwitchCloud;
afterEach(() => cloud.end());

const step = (run: CutoverRun) => switchStep(run, cloud.ports, cloud.nowMs);
const back = (run: CutoverRun) => rollback(run, cloud.ports, cloud.nowMs);
const committed = { epoch: 1, side: 'target', isJoined: true, committed: 1 };
const until = async (isSo: () => boolean) => {
  while (!isSo()) await new Promise(setImmediate);
};
const ON_BOTH = ['source', 'source', 'target'];
const ALL_ON = (side: string) => [side, side, side];

describe('the step Switch', () => {
  test('commits, sets the weights, and what it was is in the run and in the lock', async () => {
    cloud = new SwitchCloud();
    const run = await step(cloud.switching());
    expect(run).toMatchObject({ verdict: 'go', stage: { index: 0 }, switches: [{ epoch: 1, outcome: 'commit' }] });
    expect(cloud.forward.groups).toEqual(ON_TARGET);
    expect(cloud.ask()).toEqual(ALL_ON('target'));
    expect(cloud.lock?.switches).toMatchObject([{ epoch: 1, outcome: 'commit' }]);
    expect(cloud.switches.regime).toEqual(committed);
    expect(cloud.kindsNotified).toEqual(['switched']);
  });

  test('tries again with a new epoch, as often as the plan says, and rolls back then', async () => {
    cloud = new SwitchCloud();
    cloud.proxies[0]!.inFlight = 1;
    const plan = { attempts: 2, attemptSeconds: 7, maxPauseMs: 100 };
    const first = await step(cloud.switching(plan));
    expect(first).toMatchObject({ verdict: 'wait', waitSeconds: 7, switches: [{ epoch: 1, outcome: 'abort' }] });
    expect(cloud.kindsNotified).toEqual(['switchAborted']);
    const second = await step(first);
    expect(second).toMatchObject({ verdict: 'rollBack', failure: { code: 'SwitchAborted' } });
    expect(second.failure?.message).toMatch(/^the switch must be committed in 2 attempts, got an abort by 'night': /);
    expect(cloud.forward.groups).toEqual(ON_SOURCE);
    expect(cloud.ask()).toEqual(ON_BOTH);
    const restored = await back(second);
    expect(restored.verdict).toBe('restored');
    await record(restored, cloud.ports, cloud.nowMs);
    expect(restored.timeline.filter(({ state }) => state === 'Switch').map(({ detail }) => detail)).toEqual([
      { epoch: 1, to: 'target', outcome: 'abort', by: 'night' },
      { epoch: 2, to: 'target', outcome: 'abort', by: 'night' },
    ]);
    expect(cloud.evidence[0]).toMatchObject({ outcome: 'rolled-back', switches: [{ epoch: 1 }, { epoch: 2 }] });
  });

  test('a target that has died since the preflight makes no request wait', async () => {
    cloud = new SwitchCloud();
    cloud.proxies[1]!.probed = { wallMs: cloud.nowMs, tookMs: 1, upstreamProblem: 'ECONNREFUSED' };
    const run = await step(cloud.switching());
    expect(run.switches?.[0]).toMatchObject({
      outcome: 'abort',
      why: expect.stringMatching(
        /the backend of the target before requests are held, got of s2: ECONNREFUSED$/,
      ) as string,
    });
    expect(run.switches?.[0]?.heldAt).toBeUndefined();
    expect(cloud.ask()).toEqual(ON_BOTH);
  });

  test('a repetition of it counts the attempts of calls whose response was lost', async () => {
    cloud = new SwitchCloud();
    cloud.proxies[0]!.inFlight = 1;
    const given = cloud.switching({ attempts: 2, maxPauseMs: 100 });
    await step(given);
    expect(await step(given)).toMatchObject({ verdict: 'rollBack', switches: [{ epoch: 1 }, { epoch: 2 }] });
  });

  test('a repetition behind a commit sets the weights, and makes no other switch', async () => {
    cloud = new SwitchCloud();
    const given = cloud.switching();
    await step(given);
    const again = await step(given);
    expect(again).toMatchObject({ verdict: 'go', switches: [{ epoch: 1, outcome: 'commit' }] });
    expect(cloud.switches.decisions.size).toBe(1);
    // One that ended between the commit and its record knows of it by the store.
    cloud.lock = given;
    const bare = await step(given);
    expect(bare.timeline).toContainEqual(
      expect.objectContaining({ state: 'Switch', detail: { epoch: 1, outcome: 'commit', by: 'night' } }),
    );
  });

  test('one that has no time left for the weights leaves them to the next poll', async () => {
    cloud = new SwitchCloud();
    const given = cloud.switching();
    const run = await withTimeLeft(
      () => 13_000,
      () => step(given),
    );
    expect(run).toMatchObject({ verdict: 'wait', waitSeconds: 1, switches: [{ outcome: 'commit' }] });
    expect(cloud.forward.groups).toEqual(ON_SOURCE);
    expect(cloud.ask()).toEqual(ALL_ON('target'));
    expect(await step(run)).toMatchObject({ verdict: 'go' });
    expect(cloud.forward.groups).toEqual(ON_TARGET);
  });

  test('an operator who aborts in the middle leaves the source', async () => {
    cloud = new SwitchCloud();
    const [task] = cloud.proxies;
    task!.inFlight = 1;
    task!.before = async (call) => void (call === 'hold' && cloud.aborts.add('night'));
    const run = await step(cloud.switching({ attempts: 1 }));
    expect(run.switches).toMatchObject([{ outcome: 'abort', why: "an operator asked 'night' to stop" }]);
    expect(cloud.ask()).toEqual(ON_BOTH);
  });

  test('a dry run commits nothing and is not tried again', async () => {
    cloud = new SwitchCloud();
    const run = await step(cloud.switching({ dryRun: true }));
    expect(run.failure).toMatchObject({
      code: 'SwitchAborted',
      message: expect.stringMatching(/^a dry run commits nothing, got: a dry run/) as string,
    });
    expect(cloud.ask()).toEqual(ON_BOTH);
  });

  test("another execution's switch is not touched", async () => {
    cloud = new SwitchCloud();
    const limits = { maxWaiting: 1, maxWaitMs: 1, maxHoldMs: 1 };
    const switching = { to: 'target', execution: 'other', leaseMs: 1, limits, members: [] } as const;
    cloud.switches.regime = { epoch: 4, side: 'source', isJoined: false, committed: 0, switching };
    const run = await step(cloud.switching());
    expect(run.failure?.message).toBe(
      'no other switch may be under way, and the regime must be of the source, got {"epoch":4,"side":"source","to":"target","execution":"other"}',
    );
    expect(cloud.switches.decisions.size).toBe(0);
  });
});

test('the state keeps a bounded part of why each of twenty attempts was aborted', async () => {
  cloud = new SwitchCloud(1);
  cloud.strangers = Array.from({ length: 400 }, (_, at) => `10.0.${at % 250}.${'9'.repeat(200)}`);
  let run = cloud.switching({ attempts: 20, maxPauseMs: 100 });
  for (let made = 0; made < 20; made += 1) run = await step(run);
  expect(run.switches?.length).toBe(20);
  expect(Buffer.byteLength(JSON.stringify(run))).toBeLessThan(45_000);
});

describe('what would change the tasks in the middle', () => {
  const AS_BEFORE = { scaleIn: false, scaleOut: false, scheduled: true };
  const ALL = SUSPENDED;
  const start = () => {
    cloud = new SwitchCloud();
    cloud.scaling.source = AS_BEFORE;
    cloud.calls = [];
    return cloud.switching({ maxPauseMs: 100, attempts: 1 });
  };
  /** What the side's autoscaling was when the proxies were told to hold, and what the lock said of it. */
  const spy = () => {
    const seen: unknown[] = [];
    cloud.proxies[0]!.before = async (call) => {
      if (call === 'hold') seen.push(cloud.scaling.source, cloud.lock?.suspended);
    };
    return seen;
  };

  test('autoscaling is suspended for the length of the switch, and is as before behind it', async () => {
    const run = start();
    const seen = spy();
    const after = await step(run);
    // Whoever finds the lock of a step that died knows what to resume.
    const inLock = [{ side: 'source', before: AS_BEFORE }];
    expect(seen.slice(0, 2)).toEqual([{ scaleIn: true, scaleOut: true, scheduled: true }, inLock]);
    expect(cloud.scaling).toEqual({ source: AS_BEFORE });
    expect(cloud.calls).toEqual(['suspend source', 'set arn:target=100', 'resume source']);
    expect([after.suspended, cloud.lock?.suspended]).toEqual([undefined, undefined]);
    expect(cloud.lock?.stage).toBeDefined();
  });

  test('the lock says so before anything is suspended', async () => {
    const run = start();
    const { suspend } = cloud.ports.services;
    const seen: unknown[] = [];
    Object.assign(cloud.ports.services, {
      suspend: (...given: Parameters<typeof suspend>) => (seen.push(cloud.lock?.suspended), suspend(...given)),
    });
    await step(run);
    expect(seen[0]).toEqual([{ side: 'source', before: AS_BEFORE }]);
  });

  test('also behind an abort, and behind a step that throws', async () => {
    const run = start();
    cloud.proxies[0]!.inFlight = 1;
    expect(await step(run)).toMatchObject({ verdict: 'rollBack' });
    expect(cloud.scaling.source).toEqual(AS_BEFORE);
    cloud.switches.before = (call) => (call === 'decide' ? Promise.reject(new Error('died')) : Promise.resolve());
    await expect(step(run)).rejects.toThrow('died');
    expect(cloud.scaling.source).toEqual(AS_BEFORE);
  });

  test.each(['record', 'recover', 'repeated', 'complete'])('by another step where this one died: %s', async (by) => {
    const given = start();
    // It was suspended, and the process ended.
    cloud.lock = { ...given, suspended: [{ side: 'source', before: AS_BEFORE }] };
    cloud.scaling.source = { scaleIn: true, scaleOut: true, scheduled: true };
    const failed = { ...given, rollback: { startedAt: 'x', restoredAt: 'y' } };
    if (by === 'record') await record(failed, cloud.ports, cloud.nowMs);
    if (by === 'recover') await recover(change, cloud.ports, cloud.nowMs);
    if (by === 'repeated') await step(given);
    if (by === 'complete') await complete(given, cloud.ports, cloud.nowMs);
    expect(cloud.scaling.source).toEqual(AS_BEFORE);
  });

  test('what cannot be resumed is said, and tried again', async () => {
    const run = start();
    const { suspend } = cloud.ports.services;
    Object.assign(cloud.ports.services, {
      suspend: (...given: Parameters<typeof suspend>) =>
        given[1] === AS_BEFORE ? Promise.reject(new Error('throttled')) : suspend(...given),
    });
    const after = await step(run);
    expect(after).toMatchObject({ verdict: 'go', suspended: [{ side: 'source', before: AS_BEFORE }] });
    expect(after.timeline.at(-1)).toMatchObject({ state: 'Scaling', detail: { notResumed: ['source: throttled'] } });
    Object.assign(cloud.ports.services, { suspend });
    await complete(after, cloud.ports, cloud.nowMs);
    expect(cloud.scaling.source).toEqual(AS_BEFORE);
  });

  test('no request is held where it cannot be suspended, or while a deployment is in progress', async () => {
    const run = start();
    const seen = spy();
    cloud.away.add('scaling');
    await expect(step(run)).rejects.toThrow('scaling must respond');
    cloud.away.clear();
    cloud.deployments.target = '2 deployments';
    const rule = "no deployment of the target's service may be in progress, got 2 deployments";
    expect(await step(run)).toMatchObject({ verdict: 'rollBack', failure: { code: 'SwitchAborted', message: rule } });
    await expect(preflight(run, cloud.ports, cloud.nowMs)).rejects.toThrow(rule);
    expect(seen).toEqual([]);
  });

  test('a step that is repeated behind a commit does not forget what the lock has', async () => {
    const given = start();
    await withTimeLeft(
      () => 13_000,
      () => step(given),
    );
    cloud.lock = { ...given, suspended: [{ side: 'source', before: AS_BEFORE }] };
    cloud.scaling.source = ALL;
    // It saves what it was given before it sets the weights.
    await step(given);
    expect([cloud.scaling.source, cloud.lock?.suspended]).toEqual([AS_BEFORE, undefined]);
  });

  test('no side is resumed before the other one was suspended, however late that is', async () => {
    const run = start();
    cloud.scaling.target = AS_BEFORE;
    const { suspend } = cloud.ports.services;
    const late = new Promise<void>((resolve) => setTimeout(resolve, 20));
    Object.assign(cloud.ports.services, {
      suspend: async (...[side, state]: Parameters<typeof suspend>) => {
        if (side === 'source' && state !== AS_BEFORE) throw new Error('throttled');
        if (state !== AS_BEFORE) await late;
        return suspend(side, state);
      },
    });
    await expect(step(run)).rejects.toThrow('throttled');
    await late;
    await new Promise(setImmediate);
    expect(cloud.scaling).toEqual({ source: AS_BEFORE, target: AS_BEFORE });
  });

  describe('no end of a cutover frees the lock while it is suspended', () => {
    const died = () => {
      const given = start();
      cloud.lock = { ...given, suspended: [{ side: 'source', before: AS_BEFORE }] };
      cloud.scaling.source = ALL;
      return { ...given, rollback: { startedAt: 'x', restoredAt: 'y' } };
    };

    test.each([
      ['record', record],
      ['complete', complete],
    ])('%s is tried again', async (_, end) => {
      const run = died();
      cloud.away.add('scaling');
      const rule = 'the autoscaling of the source must be resumed, got {"notResumed":["source: scaling must respond';
      await expect(end(run, cloud.ports, cloud.nowMs)).rejects.toThrow(rule);
      expect([cloud.evidence.length, cloud.lock?.execution]).toEqual([0, 'night']);
      cloud.away.clear();
      await end(run, cloud.ports, cloud.nowMs);
      expect([cloud.scaling.source, cloud.evidence.length, cloud.lock]).toEqual([AS_BEFORE, 1, undefined]);
    });

    test.each([
      ['record', record],
      ['complete', complete],
    ])('%s does not take a lock that it cannot read for one that has nothing suspended', async (_, end) => {
      const run = died();
      const { holder } = cloud.ports.store;
      let reads = 0;
      Object.assign(cloud.ports.store, {
        holder: () => ((reads += 1) < 3 ? Promise.reject(new Error('S3 is slow')) : holder()),
      });
      for (let tried = 0; tried < 2; tried += 1) await expect(end(run, cloud.ports, 0)).rejects.toThrow('S3 is slow');
      await end(run, cloud.ports, 0);
      expect(cloud.scaling.source).toEqual(AS_BEFORE);
    });

    test('recover tries it for as long as it tries anything, and says then what is left', async () => {
      died();
      cloud.away.add('scaling');
      await expect(recover(change, cloud.ports, cloud.nowMs)).rejects.toThrow('must be resumed');
      expect(cloud.evidence).toEqual([]);
      const last = { body: JSON.stringify(change), attributes: { ApproximateReceiveCount: '120' } };
      await expect(recover({ Records: [last] }, cloud.ports, cloud.nowMs)).rejects.toThrow('must be resumed');
      expect([cloud.evidence[0]?.outcome, cloud.lock?.execution]).toEqual(['failed', 'night']);
      expect(cloud.evidence[0]?.timeline).toContainEqual(
        expect.objectContaining({ state: 'Scaling', detail: { notResumed: [expect.stringMatching(/^source: /)] } }),
      );
      expect(cloud.notified.at(-1)?.detail).toMatchObject({ kind: 'failed' });
    });

    test('a late step touches nothing under the lock of another cutover', async () => {
      const run = { ...died(), suspended: [{ side: 'source', before: AS_BEFORE } as const] };
      cloud.lock = { ...run, execution: 'other' };
      await record(run, cloud.ports, cloud.nowMs);
      expect(cloud.scaling.source).toEqual(ALL);
    });
  });

  describe('of a switch back, too', () => {
    const committed = async () => {
      const run = await confirm(await step(start()), cloud.ports, cloud.nowMs);
      cloud.calls = [];
      return rollBack(run, 'BreakerTripped', 'errors');
    };

    test('autoscaling is suspended, and the lock says so before', async () => {
      const run = await committed();
      const seen = spy();
      const restored = await back(run);
      expect(seen.slice(0, 2)).toEqual([ALL, [{ side: 'source', before: AS_BEFORE }]]);
      expect(cloud.calls).toEqual([
        'suspend source',
        'resume source',
        expect.stringMatching(/^undrain/),
        'set arn:source=100',
      ]);
      expect([restored.verdict, restored.suspended, cloud.lock?.suspended]).toEqual(['restored', undefined, undefined]);
      expect(cloud.scaling.source).toEqual(AS_BEFORE);
    });

    test('one whose process ended is resumed by the next poll, whatever that finds', async () => {
      const run = await committed();
      let end: () => void = () => undefined;
      // Nothing of this process comes after it.
      const ended = new Promise<void>((_, reject) => (end = () => reject(new Error('ended'))));
      cloud.switches.before = (call) => (call === 'decide' ? ended : Promise.resolve());
      const dead = back(run);
      await until(() => cloud.switches.regime?.switching?.members !== undefined);
      expect([cloud.scaling.source, cloud.lock?.suspended]).toEqual([ALL, [{ side: 'source', before: AS_BEFORE }]]);
      cloud.switches.before = () => Promise.resolve();
      const switches = [{}, { to: 'source', outcome: 'abort' }, { to: 'source', outcome: 'commit' }];
      expect(await back(run)).toMatchObject({ verdict: 'restored', switches });
      expect([cloud.scaling.source, cloud.lock?.suspended]).toEqual([AS_BEFORE, undefined]);
      end();
      await dead;
    });

    test('what a Switch that died has left is resumed with the weights, and not only by the record', async () => {
      const given = start();
      cloud.lock = { ...given, suspended: [{ side: 'source', before: AS_BEFORE }] };
      cloud.scaling.source = ALL;
      expect(await back(rollBack(given, 'SwitchAborted', 'errors'))).toMatchObject({ verdict: 'restored' });
      expect([cloud.scaling.source, cloud.lock?.suspended]).toEqual([AS_BEFORE, undefined]);
    });

    test('it does not wait for an autoscaling that cannot be suspended, and says so', async () => {
      const run = await committed();
      cloud.away.add('scaling');
      const restored = await back(run);
      expect(restored.verdict).toBe('restored');
      expect(restored.timeline).toContainEqual(
        expect.objectContaining({ state: 'Scaling', detail: { notSuspended: 'scaling must respond, got 503' } }),
      );
      expect(cloud.ask()).toEqual(ALL_ON('source'));
    });

    test('it waits for a deployment, five minutes long', async () => {
      const run = await committed();
      const seen = spy();
      cloud.deployments.source = '2 deployments';
      const waiting = await back(run);
      expect(waiting).toMatchObject({ verdict: 'wait', rollback: { notifiedOf: 'staying' } });
      expect(waiting.rollback?.sides?.source).toMatchObject({
        reason: "no deployment of the source's service may be in progress, got 2 deployments",
      });
      expect(seen).toEqual([]);
      cloud.nowMs += 301_000;
      expect(await back(waiting)).toMatchObject({ verdict: 'restored' });
      expect(cloud.ask()).toEqual(ALL_ON('source'));
    });
  });

  test('what was suspended altogether stays so', async () => {
    const run = start();
    cloud.scaling.source = { scaleIn: true, scaleOut: true, scheduled: true };
    await step(run);
    expect(cloud.calls).toEqual(['set arn:target=100']);
  });
});

describe('behind the commit', () => {
  const judged = async (plan: object = {}) => {
    cloud = new SwitchCloud();
    return confirm(await step(cloud.switching(plan)), cloud.ports, cloud.nowMs);
  };

  test('a bake that fails switches back, and then the weights follow', async () => {
    const run = await judged();
    cloud.smoke.target = 502;
    const failed = await bake(run, cloud.ports, cloud.nowMs);
    expect(failed).toMatchObject({ verdict: 'rollBack', failure: { code: 'SmokeFailed' } });
    expect(cloud.ask()).toEqual(ALL_ON('target'));
    const restored = await back(failed);
    expect(cloud.ask()).toEqual(ALL_ON('source'));
    expect(cloud.forward.groups).toEqual(ON_SOURCE);
    expect(cloud.kindsNotified.slice(-2)).toEqual(['rollingBack', 'switchedBack']);
    expect(restored).toMatchObject({ verdict: 'restored', switches: [{ to: 'target' }, { to: 'source', epoch: 2 }] });
  });

  test("with 'ask' it stays, and a person hears what they can do", async () => {
    const run = await judged({ rollback: 'ask' });
    cloud.smoke.target = 502;
    const failed = await bake(run, cloud.ports, cloud.nowMs);
    await expect(back(failed)).rejects.toMatchObject({
      code: 'RollbackUnsafe',
      message: expect.stringMatching(
        /the plan's 'switch.rollback' is 'ask': a person decides.*The target goes on.*Repair the target/,
      ) as string,
    });
    expect(cloud.kindsNotified).toContain('stuck');
    expect(cloud.ask()).toEqual(ALL_ON('target'));
    expect(cloud.forward.groups).toEqual(ON_TARGET);
  });

  test('a source whose backend does not respond gets nothing back', async () => {
    const run = await judged();
    for (const task of cloud.proxies) task.probed = { wallMs: 0, tookMs: 1, upstreamProblem: 'ECONNREFUSED' };
    const waiting = await back(rollBack(run, 'BreakerTripped', 'errors'));
    expect(waiting).toMatchObject({ verdict: 'wait', rollback: { sides: { source: { serves: false } } } });
    expect(waiting.rollback?.sides?.source).toMatchObject({
      reason: 'the source must respond to / with 200, got ECONNREFUSED, ECONNREFUSED, ECONNREFUSED',
    });
    expect(cloud.ask()).toEqual(ALL_ON('target'));
    cloud.nowMs += 61_000;
    await expect(back(waiting)).rejects.toMatchObject({ code: 'RollbackUnsafe' });
    expect(cloud.forward.groups).toEqual(ON_TARGET);
  });

  test('a plan without smoke requests proves the source all the same: any response will do, and none will not', async () => {
    const run = await judged();
    const unsmoked: CutoverRun = { ...run, plan: { ...run.plan, smoke: [] } };
    for (const task of cloud.proxies) task.probed = { wallMs: 0, tookMs: 1, upstreamProblem: 'ECONNREFUSED' };
    const waiting = await back(rollBack(unsmoked, 'BreakerTripped', 'errors'));
    expect(waiting.rollback?.sides?.source).toMatchObject({
      reason: expect.stringContaining('the source must respond to / with any status, got ECONNREFUSED') as string,
    });
    expect(cloud.ask()).toEqual(ALL_ON('target'));
    for (const task of cloud.proxies) task.probed = { wallMs: 0, tookMs: 1, status: 404 };
    await back(waiting);
    expect(cloud.ask()).toEqual(ALL_ON('source'));
  });

  test('without the store nothing moves, people hear of it, and it goes on when the store is back', async () => {
    const run = await judged();
    cloud.switches.before = () => Promise.reject(new Error('S3 must respond'));
    const waiting = await back(rollBack(run, 'BreakerTripped', 'errors'));
    cloud.nowMs += 600_000;
    const still = await back(waiting);
    expect(still).toMatchObject({ verdict: 'wait', rollback: { notifiedOf: 'staying' } });
    expect(cloud.forward.groups).toEqual(ON_TARGET);
    cloud.switches.before = () => Promise.resolve();
    expect(await back(still)).toMatchObject({ verdict: 'restored' });
    expect(cloud.ask()).toEqual(ALL_ON('source'));
  });

  test('a rollback that has no time left behind its switch goes on at the next poll', async () => {
    const run = await judged();
    const waiting = await withTimeLeft(
      () => 15_000,
      () => back(rollBack(run, 'BreakerTripped', 'errors')),
    );
    expect(waiting).toMatchObject({ verdict: 'wait', waitSeconds: 1, switches: [{}, { to: 'source' }] });
    expect(cloud.forward.groups).toEqual(ON_TARGET);
    expect(await back(waiting)).toMatchObject({ verdict: 'restored' });
    expect(cloud.forward.groups).toEqual(ON_SOURCE);
  });
});

test('the evidence has what the hold came to, and the streams that were closed for it, of this attempt alone', async () => {
  cloud = new SwitchCloud();
  const [first, second] = cloud.proxies;
  const closed = (websocket: number, forced = 0) => ({
    websocket: { completed: 9, moved: 0, closed: websocket, forced },
    serverSentEvents: { completed: 0, moved: 0, closed: 2, forced: 0 },
  });
  first!.ended = closed(5);
  const orders = new Set<unknown>();
  first!.before = async (call) => {
    if (call !== 'hold' || orders.size > 0) return;
    orders.add(call);
    setTimeout(() => {
      for (let sent = 0; sent < 3; sent += 1) first!.request();
      first!.ended = closed(8, 1);
      first!.inFlight = 0;
    }, 5);
  };
  first!.inFlight = 1;
  second!.ended = { grpcStream: { completed: 0, moved: 0, closed: 4, forced: 0 } };
  const { switches } = await step(cloud.switching({ maxWaiting: 2 }));
  const none = { websocket: 0, grpcStream: 0, serverSentEvents: 0 };
  expect(switches).toMatchObject([
    {
      outcome: 'commit',
      holds: { released: 2, rejected: { full: 1, windowOver: 0, clientGone: 0, tooSoon: 0, off: 0 } },
      streams: { closed: { ...none, websocket: 3 }, forced: { ...none, websocket: 1 } },
    },
  ]);
});

describe('the source behind a committed switch', () => {
  /** The ledgers of the judge are those of the same tasks. */
  const confirmed = async () => {
    cloud = new SwitchCloud();
    const run = await step(cloud.switching());
    const judged = await confirm(run, cloud.ports, cloud.nowMs);
    cloud.nowMs += 3_600_000;
    return judged;
  };
  const act = (of: typeof drain, run: CutoverRun) => of(run, cloud.ports, cloud.nowMs);

  test('its proxies drain, forward to the target all the while, and Verify waits for zero', async () => {
    const run = await confirmed();
    cloud.tasks.source = [report('s1', { active: { websocket: 2 } }), report('s2')];
    const waiting = await act(drain, run);
    expect(waiting).toMatchObject({ verdict: 'wait', drain: { active: { websocket: 2 } } });
    expect(cloud.calls.slice(-2).sort()).toEqual(['drain s1', 'drain s2']);
    expect(cloud.ask()).toEqual(ALL_ON('target'));
    // A request that a stale weight brought.
    cloud.tasks.source = [report('s1', { state: 'drained' }), report('s2', { state: 'drained' })];
    const drained = await act(drain, waiting);
    expect(drained.verdict).toBe('drained');
    cloud.tasks.source = [report('s1', { active: { http: 1 } }), report('s2')];
    expect(await act(verify, drained)).toMatchObject({ verdict: 'wait' });
    cloud.tasks.source = [report('s1'), report('s2')];
    const verified = await act(verify, drained);
    expect(verified).toMatchObject({ verdict: 'verified', isVerified: true });
    await complete(verified, cloud.ports, cloud.nowMs);
    expect(cloud.ask()).toEqual(ALL_ON('target'));
    expect(cloud.switches.regime).toEqual(committed);
    expect(cloud.evidence[0]).toMatchObject({ outcome: 'completed', switches: [{ epoch: 1, outcome: 'commit' }] });
    expect(cloud.lock).toBeUndefined();
  });

  test.each([
    ['drain', drain],
    ['verify', verify],
  ])('a target that dies in %s is switched away from, and a drained source serves again', async (_, of) => {
    const run = await confirmed();
    await act(drain, run);
    cloud.smoke.target = 502;
    const failed = await act(of, run);
    expect(failed).toMatchObject({ verdict: 'rollBack', failure: { code: 'SmokeFailed' } });
    const restored = await back(failed);
    expect(restored.verdict).toBe('restored');
    expect(cloud.calls).toContain('undrain s1');
    expect(cloud.ask()).toEqual(ALL_ON('source'));
    expect(cloud.forward.groups).toEqual(ON_SOURCE);
  });

  test('a source that dies while requests wait for the switch back is not switched to', async () => {
    const run = await confirmed();
    const died = { wallMs: cloud.nowMs, tookMs: 1, upstreamProblem: 'ECONNREFUSED' };
    const [first] = cloud.proxies;
    first!.before = async (call) => {
      if (call === 'hold') for (const task of cloud.proxies) task.probed = died;
    };
    cloud.smoke.target = 502;
    const stays = await back(await act(drain, run));
    expect(stays.switches?.at(-1)).toMatchObject({
      ...{ outcome: 'abort', to: 'source' },
      why: expect.stringMatching(/^the backend of the source must respond right before the decision/) as string,
    });
    expect(cloud.ask()).toEqual(ALL_ON('target'));
  });

  test('behind Verify nothing switches back, whatever the target does', async () => {
    const verified = await act(verify, await confirmed());
    cloud.smoke.target = 502;
    await complete(verified, cloud.ports, cloud.nowMs);
    expect(cloud.ask()).toEqual(ALL_ON('target'));
    expect(cloud.switches.decisions.size).toBe(1);
  });
});

describe('an execution that was stopped', () => {
  test('in an undecided switch is given up, also without ECS', async () => {
    cloud = new SwitchCloud();
    const given = cloud.switching();
    cloud.switches.before = (call) =>
      call === 'decide' ? Promise.reject(new Error('the coordinator died')) : Promise.resolve();
    await expect(step(given)).rejects.toThrow('the coordinator died');
    cloud.switches.before = () => Promise.resolve();
    expect(cloud.switches.regime?.switching).toBeDefined();
    const { switchTasks } = cloud;
    cloud.switchTasks = () => {
      throw new Error('ECS must respond');
    };
    const recovering = recover(change, cloud.ports, cloud.nowMs);
    await recovering.catch(() => undefined);
    expect(cloud.switches.decisions.get(1)).toMatchObject({ outcome: 'abort', why: 'the cutover rolls back' });
    expect(cloud.switches.regime).toEqual({ epoch: 1, committed: 0, side: 'source', isJoined: false });
    cloud.switchTasks = switchTasks;
    expect(cloud.forward.groups).toEqual(ON_SOURCE);
    expect(cloud.evidence[0]).toMatchObject({ outcome: 'rolled-back', switches: [{ outcome: 'abort' }] });
  });

  test.each([
    ['automatic', ALL_ON('source'), ON_SOURCE, 'rolled-back'],
    ['ask', ALL_ON('target'), ON_TARGET, 'failed'],
  ])('behind the commit goes by the plan: %s', async (policy, served, weights, outcome) => {
    cloud = new SwitchCloud();
    await step(cloud.switching({ rollback: policy }));
    await recover(change, cloud.ports, cloud.nowMs);
    expect(cloud.ask()).toEqual(served);
    expect(cloud.forward.groups).toEqual(weights);
    expect(cloud.evidence[0]).toMatchObject({ outcome });
    expect(cloud.lock === undefined).toBe(outcome === 'rolled-back');
  });

  test('between the commit and the weights, too', async () => {
    cloud = new SwitchCloud();
    const given = cloud.switching();
    await withTimeLeft(
      () => 13_000,
      () => step(given),
    );
    await recover(change, cloud.ports, cloud.nowMs);
    expect(cloud.ask()).toEqual(ALL_ON('source'));
    expect(cloud.forward.groups).toEqual(ON_SOURCE);
  });
});

describe('preflight', () => {
  const look = (run: CutoverRun) => preflight(run, cloud.ports, cloud.nowMs);

  test('shows at each task that a switch can be made, and leaves no hold', async () => {
    cloud = new SwitchCloud();
    expect(await look(cloud.switching())).toMatchObject({ verdict: 'switch' });
    expect(cloud.proxies.map(({ gate }) => gate.report().state)).toEqual(['none', 'none', 'none']);
    expect(cloud.proxies.map(({ gate }) => gate.report().epoch)).toEqual([1, 1, 1]);
    expect(cloud.ask()).toEqual(ON_BOTH);
    // A switch has an epoch over those that were used up.
    expect(await step(cloud.switching())).toMatchObject({ switches: [{ epoch: 2, outcome: 'commit' }] });
  });

  test.each([
    ['task s1 of the source must reach the store of the switch, got denied', { status: 200, storeProblem: 'denied' }],
    ["task s1 of the source must reach the target's backend, got 502", { status: 502 }],
    ["task s1 of the source must reach the target's backend, got ECONNREFUSED", { upstreamProblem: 'ECONNREFUSED' }],
    ['the clock of task s1 of the source must be within 4000 ms of that of Lambda, got', { status: 200, skew: 9_000 }],
  ])('%s', async (message, given) => {
    const { skew = 0, ...probed }: { skew?: number; status?: number; upstreamProblem?: string } = given;
    cloud = new SwitchCloud();
    cloud.proxies[0]!.probed = { wallMs: cloud.nowMs + skew, tookMs: 1, ...probed };
    await expect(look(cloud.switching())).rejects.toThrow(message);
  });

  test('each task asks both backends: it may go to either', async () => {
    cloud = new SwitchCloud();
    const asked: string[] = [];
    for (const task of cloud.proxies) {
      const { probed } = task;
      const probe = async ({ to }: ProbeOrder) => (asked.push(`${task.id} ${to}`), probed);
      Object.assign(task, { probe });
    }
    await look(cloud.switching());
    expect(asked.sort()).toEqual(['s1 source', 's1 target', 's2 source', 's2 target', 't1 source', 't1 target']);
    const probe = async ({ to }: ProbeOrder) => ({
      ...{ wallMs: cloud.nowMs, tookMs: 1, storeProblem: 'denied' },
      ...(to === 'source' ? { upstreamProblem: 'nothing' } : { status: 200 }),
    });
    Object.assign(cloud.proxies[2]!, { probe });
    const rules = [
      'task t1 of the target must reach the store of the switch, got denied',
      "task t1 of the target must reach the source's backend, got nothing",
    ];
    await expect(look(cloud.switching())).rejects.toThrow(new Error(rules.join('\n')));
  });

  test('the timeline says what the tasks have shown, and by how much their clocks differ', async () => {
    cloud = new SwitchCloud();
    cloud.proxies[0]!.probed = { wallMs: cloud.nowMs + 1_500, tookMs: 0, status: 200 };
    cloud.proxies[1]!.longestRequestMs = 1_234;
    const { timeline } = await look(cloud.switching());
    const shown = timeline.at(-1)?.detail.switch as { maxSkewMs: number };
    expect(shown).toMatchObject({ tasks: 3, longestRequestMs: 1_234 });
    expect(Math.abs(shown.maxSkewMs - 1_500)).toBeLessThan(500);
  });

  test('a request of the last minute that was longer than the pause keeps the cutover, though it has ended', async () => {
    cloud = new SwitchCloud();
    cloud.proxies[1]!.longestRequestMs = 5_100;
    await expect(look(cloud.switching())).rejects.toThrow(
      "requests at task s2 of the source must end within 'switch.maxPauseMs' (5000 ms), got one for 5100 ms in the last minute",
    );
    expect(await look(cloud.switching({ maxPauseMs: 6_000 }))).toMatchObject({ verdict: 'switch' });
  });

  describe('many tasks', () => {
    const spied = () => {
      let holding = 0;
      const seen = { tried: 0, most: 0 };
      for (const task of cloud.proxies) {
        task.before = async (call) => {
          if (call === 'hold') seen.most = Math.max(seen.most, ++holding);
          if (call === 'hold') seen.tried += 1;
          await new Promise(setImmediate);
          if (call === 'release') holding -= 1;
        };
      }
      return seen;
    };

    test('each of them holds, and a fiftieth at a time', async () => {
      cloud = new SwitchCloud(150, 50);
      const seen = spied();
      expect(await look(cloud.switching())).toMatchObject({ verdict: 'switch' });
      expect(seen).toEqual({ tried: 200, most: 4 });
      expect(cloud.proxies.every(({ gate }) => gate.report().epoch === 1)).toBe(true);
    });

    test('no further one holds when five have failed', async () => {
      cloud = new SwitchCloud(50);
      const seen = spied();
      for (const { gate } of cloud.proxies) gate.hold = () => 'it drains';
      await expect(look(cloud.switching())).rejects.toThrow('task s5 of the source must hold and release: it drains');
      expect(seen.tried).toBeLessThan(10);
    });

    test('without the time for all of them nothing is taken for shown', async () => {
      cloud = new SwitchCloud(20);
      let leftMs = 6_000;
      const seen = spied();
      const looking = withTimeLeft(
        () => (leftMs -= 50),
        () => look(cloud.switching()),
      );
      await expect(looking).rejects.toThrow(/must hold and release within the time of the step, got \d+ of 21$/);
      expect(seen.tried).toBeLessThan(21);
    });
  });

  test('a task that cannot hold keeps the cutover', async () => {
    cloud = new SwitchCloud();
    cloud.proxies[1]!.hold = () => Promise.reject(new Error('it drains'));
    await expect(look(cloud.switching())).rejects.toThrow('task s2 of the source must hold and release: it drains');
  });

  test('a switch that is under way, and a target that serves, keep it', async () => {
    cloud = new SwitchCloud();
    cloud.switches.regime = { epoch: 3, side: 'target', isJoined: true, committed: 1 };
    await expect(look(cloud.switching())).rejects.toThrow(/must forward to the source .* got the target since epoch 3/);
    await expect(look(cloud.ready())).rejects.toThrow(/got the target since epoch 3/);
  });

  describe('a switch that another cutover has left undecided', () => {
    const leave = async () => {
      cloud = new SwitchCloud();
      cloud.switches.before = (call) => (call === 'decide' ? Promise.reject(new Error('died')) : Promise.resolve());
      await expect(step(cloud.switching())).rejects.toThrow('died');
      cloud.switches.before = () => Promise.resolve();
      expect(cloud.switches.regime).toMatchObject({ epoch: 1, switching: { to: 'target' } });
      // Its lock is another's: no step of it touches anything any more.
      const next = { ...cloud.switching(), execution: 'the-next' };
      cloud.lock = next;
      return next;
    };

    test('is given up, and the next one is made', async () => {
      const ready = await look(await leave());
      expect(ready).toMatchObject({ verdict: 'switch' });
      expect(ready.switches).toBeUndefined();
      expect(ready.timeline.find(({ state }) => state === 'Switch')?.detail).toMatchObject({
        ...{ epoch: 1, outcome: 'abort', leftBy: change.detail.name },
      });
      expect(cloud.switches.decisions.get(1)?.why).toBe("'the-next' holds the lock now");
      expect(cloud.ask()).toEqual(ON_BOTH);
      expect(await step(ready)).toMatchObject({ switches: [{ outcome: 'commit' }] });
    });

    test('is ended as it was decided', async () => {
      const next = await leave();
      await cloud.switches.decide(1, { outcome: 'commit', by: 'night' });
      await expect(look(next)).rejects.toThrow(/must forward to the source .* got the target since epoch 1/);
      expect(cloud.switches.regime).toEqual(committed);
      expect(cloud.ask()).toEqual(ALL_ON('target'));
    });

    test('is left to a plan that switches, and may thaw', async () => {
      const next = await leave();
      const gradual = { ...cloud.ready(), execution: next.execution };
      await expect(look(gradual)).rejects.toThrow(/with no switch under way, got the switch of epoch 1/);
    });
  });

  test('behind a switch back every task forwards to its own backend again, also where an earlier preflight reached some', async () => {
    cloud = new SwitchCloud(1, 2);
    const run = await step(cloud.switching());
    await back(rollBack(run, 'BreakerTripped', 'errors'));
    expect(cloud.ask()).toEqual(ALL_ON('source'));
    const [, first] = cloud.proxies;
    first!.retarget = () => Promise.reject(new Error('t1 does not respond'));
    await expect(look(cloud.switching())).rejects.toThrow('t1 does not respond');
    expect(cloud.switches.regime).toMatchObject({ isJoined: false });
    await expect(look(cloud.switching())).rejects.toThrow('t1 does not respond');
    // Nothing is held while it forwards elsewhere than the regime says.
    expect((await step(cloud.switching())).switches?.at(-1)?.why).toBe(
      'every task must forward as the regime says before requests are held, got t1 to the source',
    );
    Reflect.deleteProperty(first!, 'retarget');
    expect(await look(cloud.switching())).toMatchObject({ verdict: 'switch' });
    expect(cloud.ask()).toEqual(['source', 'target', 'target']);
  });
});

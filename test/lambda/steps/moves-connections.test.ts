import { NO_CONNECTIONS, NOTHING_ENDED, NO_ENDINGS } from '../../../core/proxy/connections';
import { buildEvidence } from '../../../core/cutover/evidence';
import { CutoverRun, rollBack } from '../../../core/cutover/run';
import type { LedgerReport } from '../../../core/proxy/admin-api';
import { findBucket } from '../../../core/proxy/latency-buckets';
import { complete } from '../../../lambda/steps/complete';
import { drain } from '../../../lambda/steps/drain';
import { preflight } from '../../../lambda/steps/preflight';
import { rollback } from '../../../lambda/steps/rollback';
import { undrainSide } from '../../../lambda/steps/undrain';
import { verify } from '../../../lambda/steps/verify';
import { MemoryCloud, report } from '../world';
import { confirmed, last } from './safety-rules/cutover';

const later = (cloud: MemoryCloud, seconds: number) => (cloud.nowMs += seconds * 1000);

interface Carrying {
  readonly moved?: number;
  readonly carried: number;
  readonly back?: number;
  readonly closed?: number;
  readonly underWay?: number;
}

/** A task that has moved WebSockets, each in 40 ms. */
function carrying({ moved = 0, carried, back = 0, closed = 0, underWay = 0 }: Carrying): LedgerReport {
  const stall = Array.from({ length: findBucket(40) + 1 }, () => 0);
  stall[findBucket(40)] = moved;
  return {
    ...report('s1', { state: 'drained' }),
    ended: { ...NOTHING_ENDED, websocket: { ...NO_ENDINGS, moved } },
    carried: { ...NO_CONNECTIONS, websocket: carried },
    carriedEnded: { ...NOTHING_ENDED, websocket: { ...NO_ENDINGS, moved: back, closed } },
    moves: { rejected: { noToken: 1 }, stall, longestStallMs: 40, underWay },
  };
}

/** In its drain, in which the source has moved what it held. */
async function draining(cloud: MemoryCloud, plan: object = last): Promise<CutoverRun> {
  cloud.tasks.source = [{ ...carrying({ carried: 0 }), state: 'serving' }];
  const run = await confirmed(cloud, plan);
  cloud.tasks.source = [{ ...carrying({ carried: 0 }), state: 'serving', active: { ...NO_CONNECTIONS, websocket: 5 } }];
  return drain(run, cloud.ports, later(cloud, 1));
}

describe('a drain', () => {
  test('hands the moves of the plan to the proxies, and nothing that one of an older version does not know', async () => {
    const cloud = new MemoryCloud();
    await draining(cloud, { ...last, drain: { moves: 'all' } });
    expect(cloud.orders).toMatchObject([['s1', { moves: 'all', closeRatePerSecond: 20 }]]);
    const older = new MemoryCloud();
    const run = await confirmed(older);
    older.tasks.source = [{ ...report('s1'), movable: undefined }];
    await drain(run, older.ports, later(older, 1));
    expect(Object.keys(older.orders[0]![1])).toEqual(['perKindSeconds', 'closeRatePerSecond', 'jitter']);
  });

  test('does not wait for what is carried, nor does Verify; Complete leaves it where it is, and it is in the evidence', async () => {
    const cloud = new MemoryCloud();
    let run = await draining(cloud);
    cloud.tasks.source = [carrying({ moved: 5, carried: 4, closed: 1 })];
    run = await drain(run, cloud.ports, later(cloud, 5));
    expect(run.verdict).toBe('drained');
    run = await verify(run, cloud.ports, cloud.nowMs);
    expect(run.verdict).toBe('verified');
    await complete(run, cloud.ports, cloud.nowMs);
    expect(cloud.orders.at(-1)).toEqual(['s1', { moves: 'none' }]);
    const [evidence] = cloud.evidence;
    expect(evidence!.drain).toMatchObject({ moved: 5, completed: 0, lost: 0, byKind: { websocket: { moved: 5 } } });
    expect(evidence!.moves).toMatchObject({
      moved: 5,
      rejected: {},
      stall: { count: 5, p50Ms: 40, p99Ms: 40, longestMs: 40 },
      carried: { websocket: 4 },
      carriedUnknownTasks: 0,
      carriedEnded: { closed: 1, lost: 0, unknown: 0 },
    });
  });

  test('counts what died with its task as lost, and as unknown what a silent task carries', async () => {
    const cloud = new MemoryCloud();
    let run = await draining(cloud);
    cloud.tasks.source = [carrying({ moved: 5, carried: 5 }), report('s2')];
    run = await drain(run, cloud.ports, later(cloud, 5));
    cloud.tasks.source = [report('s2')];
    cloud.stopped.source = { s1: 137 };
    cloud.unreachable.add('s2');
    run = await drain(run, cloud.ports, later(cloud, 5));
    const { moves } = buildEvidence(run, 'failed', cloud.nowMs);
    expect(moves).toMatchObject({ moved: 5, carriedUnknownTasks: 1, carriedEnded: { lost: 5 } });
  });

  test('the other way also moves home what a cutover before has moved to the side that is left', async () => {
    const cloud = new MemoryCloud();
    const run = await draining(cloud);
    cloud.tasks.target = [{ ...report('t1'), carried: { ...NO_CONNECTIONS, websocket: 2 } }];
    await drain(run, cloud.ports, later(cloud, 5));
    expect(cloud.orders.at(-1)).toEqual(['t1', { moves: 'resumable' }]);
  });
});

describe('a rollback in the middle of the moves', () => {
  const fail = (run: CutoverRun) => rollBack(run, 'SmokeFailed', 'the target is gone');
  /** Once it is told to, the task moves one back in each half a second. */
  const comesBack = (cloud: MemoryCloud, until = 0) => {
    cloud.whilePausing = () => {
      if (!cloud.orders.some(([, order]) => 'moves' in order && order.moves === 'resumable' && !('jitter' in order)))
        return;
      const [task] = cloud.tasks.source;
      const carried = Math.max(until, (task?.carried?.websocket ?? 0) - 1);
      const active = { ...NO_CONNECTIONS, websocket: 4 - carried };
      cloud.tasks.source = [{ ...carrying({ moved: 4, carried, back: 4 - carried }), state: 'serving', active }];
    };
  };

  test('moves them back once the weights are back, and not before; the evidence has both ways', async () => {
    const cloud = new MemoryCloud();
    let run = await draining(cloud);
    cloud.tasks.source = [carrying({ moved: 4, carried: 4 })];
    run = await drain(run, cloud.ports, later(cloud, 5));
    cloud.orders = [];
    comesBack(cloud);
    const back = await rollback(fail(run), cloud.ports, cloud.nowMs);
    expect(cloud.orders).toEqual([
      ['s1', { moves: 'none' }],
      ['s1', { moves: 'resumable' }],
    ]);
    expect(cloud.calls.slice(-3)).toEqual(['undrain s1', 'set arn:source=100', 'undrain s1']);
    expect(back.rollback).toMatchObject({ recalled: { left: NO_CONNECTIONS, unknownTasks: 0 } });
    expect(back.rollback?.notDone).toBeUndefined();
    const { moves, drain: drained } = buildEvidence(back, 'rolled-back', cloud.nowMs);
    expect(moves).toMatchObject({ carried: NO_CONNECTIONS, carriedEnded: { movedBack: 4 } });
    // Each of them is live again. The fifth ended by itself.
    expect(drained).toMatchObject({ completed: 1, moved: 4, byKind: { websocket: { completed: 1, moved: 4 } } });
    // A step that is called again tells them nothing more.
    cloud.orders = [];
    await rollback(back, cloud.ports, cloud.nowMs);
    expect(cloud.orders).toEqual([['s1', { moves: 'none' }]]);
  });

  test('waits for a bounded time, and says how many could not', async () => {
    const cloud = new MemoryCloud();
    let run = await draining(cloud);
    cloud.tasks.source = [carrying({ moved: 4, carried: 4 }), report('s2')];
    run = await drain(run, cloud.ports, later(cloud, 5));
    comesBack(cloud, 3);
    const begunMs = cloud.nowMs;
    const back = await rollback(fail(run), cloud.ports, cloud.nowMs);
    expect(cloud.nowMs - begunMs).toBeLessThan(60_000);
    expect(back.verdict).toBe('restored');
    expect(back.rollback?.notDone).toEqual([
      'the proxies of the source must carry no connection of the other backend any more, got 3 WebSocket connections',
    ]);
  });

  test('moves nothing to a source that does not serve, and nothing where the plan moves nothing', async () => {
    const dead = new MemoryCloud();
    const run = await draining(dead);
    dead.smoke.source = 502;
    dead.orders = [];
    await rollback(fail(run), dead.ports, dead.nowMs);
    expect(dead.orders).toEqual([['s1', { moves: 'none' }]]);
    const still = new MemoryCloud();
    const drained = await draining(still, { ...last, drain: { moves: 'none' } });
    still.orders = [];
    await rollback(fail(drained), still.ports, still.nowMs);
    expect(still.orders).toEqual([['s1', { moves: 'none' }]]);
  });
});

test.each<[object, Partial<LedgerReport>, string[]]>([
  [{}, {}, []],
  [{ moves: 'none' }, { movable: undefined }, []],
  [{}, { movable: undefined }, ['1 of 1 proxies of the source move no connection: they are of an older version']],
  [
    {},
    { movable: { setting: 'none', hasOther: true } },
    ["1 of 1 proxies of the source move no connection: their setting 'moves' is none"],
  ],
  [
    {},
    { movable: { setting: 'all', hasOther: false } },
    ["1 of 1 proxies of the source move no connection: they do not know the other backend ('other_upstream')"],
  ],
  [
    { moves: 'all' },
    {},
    ["1 of 1 proxies of the source move fewer than 'drain.moves: all': their setting 'moves' is narrower"],
  ],
])('a preflight of a plan with %j warns of what cannot move, and blocks nothing', async (drained, over, expected) => {
  const cloud = new MemoryCloud();
  cloud.tasks.source = [{ ...report('s1'), ...over }];
  const run = await preflight(cloud.ready({ drain: drained }), cloud.ports, cloud.nowMs);
  const { warnings = [] } = run.timeline.at(-1)!.detail as { warnings?: string[] };
  expect(warnings).toEqual(expected);
});

test('a preflight warns of proxies that do not reach the other backend', async () => {
  const cloud = new MemoryCloud();
  const probed: unknown[] = [];
  const probe = (order: unknown) => {
    probed.push(order);
    return Promise.resolve({ wallMs: 0, tookMs: 0, upstreamProblem: 'ECONNREFUSED' });
  };
  const session = { probe, close: () => undefined } as never;
  cloud.switchTasks = () => [
    { id: 's1', home: 'source', session },
    { id: 't1', home: 'target', session },
  ];
  const run = await preflight(cloud.ready(), cloud.ports, cloud.nowMs);
  expect(run.timeline.at(-1)!.detail['warnings']).toEqual([
    "proxies of the source must reach the target's backend to move connections there, got of s1: ECONNREFUSED",
  ]);
  expect(probed).toEqual([{ to: 'target', path: '/', host: 'shop.example.com', isOfBackendAlone: true }]);
});

test('a person who undrains a side moves nothing back, unless they say so', async () => {
  const cloud = new MemoryCloud();
  await undrainSide({ side: 'source' }, cloud.ports);
  await undrainSide({ side: 'source', moves: 'all' }, cloud.ports);
  expect(cloud.orders).toEqual([
    ['s1', { moves: 'none' }],
    ['s1', { moves: 'all' }],
  ]);
  await expect(undrainSide({ side: 'source', moves: 'some' as never }, cloud.ports)).rejects.toThrow(
    '\'moves\' must be one of none, resumable, all, got "some"',
  );
});

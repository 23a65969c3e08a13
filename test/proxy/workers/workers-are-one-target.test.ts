import type { LedgerReport } from '../../../core/proxy/admin-api';
import { DEFAULT_DRAIN } from '../../../core/proxy/admin-api';
import { NO_CONNECTIONS, NO_ENDINGS } from '../../../core/proxy/connections';
import type { ProxyConfig } from '../../../proxy/config/config';
import { DrainWatch } from '../../../proxy/workers/drain-watch';
import { GroupTarget } from '../../../proxy/workers/group-target';
import type { Member } from '../../../proxy/workers/member';
import type { Members } from '../../../proxy/workers/members';
import type { Order, RpcRequest } from '../../../proxy/workers/messages';
import { CONNECTION_KINDS } from '../../../core/proxy/connections';
import { WorkerQuery, readConnectionQuery } from '../../../core/proxy/connection-list';
import { Problems } from '../../../core/validation/problems';
import { Rpc, WorkerGone, WorkerLate } from '../../../proxy/workers/rpc';
import { GroupState } from '../../../proxy/workers/group-state';
import { FakeClock } from '../support/fake-clock';
import { REPORT } from '../support/report';
import type { Decision } from '../../../core/switch/decision';
import type { DecisionStore } from '../../../core/switch/decision-store';
import { holdOrder } from '../../support/hold-order';

/** A worker without a process: it responds to what the test says. */
class FakeMember {
  readonly heard: Order[] = [];
  readonly queries: WorkerQuery[] = [];
  lastReport: LedgerReport | undefined;
  isKilled = false;
  response: (prompt: RpcRequest) => unknown = () => undefined;
  reports: LedgerReport[] = [REPORT];

  constructor(readonly worker: number) {}

  async ask(prompt: RpcRequest): Promise<unknown> {
    if (prompt.kind === 'connections') this.queries.push(prompt.query);
    else if (prompt.kind === 'list' || prompt.kind === 'share' || prompt.kind === 'receive')
      throw new Error('not asked');
    else if (prompt.kind !== 'report' && prompt.kind !== 'metrics' && prompt.kind !== 'window') this.heard.push(prompt);
    return this.response(prompt);
  }

  async report(): Promise<LedgerReport> {
    this.lastReport = this.reports.length > 1 ? this.reports.shift()! : this.reports[0]!;
    return this.lastReport;
  }

  kill(): void {
    this.isKilled = true;
  }
}

const UPSTREAM = { protocol: 'http', host: '127.0.0.1', port: 1 } as const;

const later: (() => void)[] = [];
afterEach(() => later.splice(0).forEach((stop) => stop()));

function group(otherUpstream: ProxyConfig['otherUpstream'] = UPSTREAM, store?: DecisionStore) {
  const clock = new FakeClock();
  const started = [new FakeMember(1), new FakeMember(2)];
  const members = {
    started,
    reports: () => Promise.all(started.map((member) => member.report())),
    askAll: (requestFor: (member: FakeMember) => RpcRequest) =>
      Promise.all(started.map((member) => member.ask(requestFor(member)))),
  };
  const config = { side: 'source', upstream: UPSTREAM, otherUpstream, workers: 2 } as ProxyConfig;
  const running = new GroupState(config);
  const errors: string[] = [];
  const error = (_: unknown, message: string) => void errors.push(message);
  const log = { info: () => undefined, warn: () => undefined, error };
  const watch = new DrainWatch(clock, log, async () => REPORT);
  const target = new GroupTarget({
    ...{ side: 'source', workers: 2, running, watch, clock, log, upstreams: {} },
    members: members as unknown as Members,
    ...(store && { store }),
  });
  later.push(() => target.stop());
  return { clock, started, target, running, errors };
}

const kinds = ({ heard }: FakeMember) => heard.map(({ kind }) => kind);

test('a drain reaches all, with the rate of one', async () => {
  const { started, target } = group();
  started[0]!.reports = [{ ...REPORT, active: { ...NO_CONNECTIONS, websocket: 17 } }];
  expect(await target.drain({ ...DEFAULT_DRAIN, closeRatePerSecond: 19 })).toBeUndefined();
  expect(started.map(({ heard }) => heard[0])).toMatchObject([
    { kind: 'drain', order: { closeRatePerSecond: 18 } },
    { kind: 'drain', order: { closeRatePerSecond: 1 } },
  ]);
});

test('a conflict is said without asking anyone', async () => {
  const { started, target } = group();
  expect(await target.hold(holdOrder({ epoch: 5, leaseMs: 1000, maxWaiting: 10 }))).toBeUndefined();
  expect(await target.hold(holdOrder({ epoch: 4, leaseMs: 1000, maxWaiting: 10 }))).toMatch(
    /^'epoch' must be at least 5/,
  );
  expect(await target.release({ epoch: 4, to: 'target' })).toMatch(/^'epoch' must be 5/);
  expect(started.map(kinds)).toEqual([['hold'], ['hold']]);
});

test('without another upstream no one is sent to the other side', async () => {
  const { started, target } = group(null as unknown as undefined);
  expect(await target.retarget({ to: 'target' })).toMatch(/^'other_upstream' must be configured/);
  await target.hold(holdOrder({ epoch: 1, leaseMs: 1000, maxWaiting: 10 }));
  expect(await target.release({ epoch: 1, to: 'target' })).toMatch(/^'other_upstream' must be configured/);
  expect(await target.release({ epoch: 1, to: 'source' })).toBeUndefined();
  expect(started.map(kinds)[0]).toEqual(['hold', 'hold', 'release']);
});

test('a release makes every lease long enough before anyone is released', async () => {
  const { started, target, clock } = group();
  await target.hold(holdOrder({ epoch: 1, leaseMs: 1000, maxWaiting: 10 }));
  clock.advance(0.9);
  expect(await target.release({ epoch: 1, to: 'target' })).toBeUndefined();
  for (const { heard } of started) {
    expect(heard.slice(1)).toMatchObject([
      { kind: 'hold', order: { epoch: 1, leaseMs: 10_000, maxWaiting: 5 } },
      { kind: 'release', order: { epoch: 1, to: 'target' } },
    ]);
  }
  // The same again changes nothing.
  expect(await target.release({ epoch: 1, to: 'target' })).toBeUndefined();
  expect(started.map(({ heard }) => heard.length)).toEqual([3, 3]);
});

test('when the lease of one has ended no one is released to the other side', async () => {
  const { started, target, running } = group();
  await target.hold(holdOrder({ epoch: 1, leaseMs: 1000, maxWaiting: 10 }));
  started[1]!.response = ({ kind }) => (kind === 'hold' ? 'its lease is over' : undefined);
  expect(await target.release({ epoch: 1, to: 'target' })).toBe('its lease is over');
  expect(started[0]!.heard.at(-1)).toEqual({ kind: 'release', order: { epoch: 1, to: 'source' } });
  expect(started.flatMap(({ heard }) => heard)).not.toContainEqual(
    expect.objectContaining({ order: { epoch: 1, to: 'target' } }),
  );
  expect(running.forNewcomer(1, 0)).toEqual([{ kind: 'retarget', order: { to: 'source' } }]);
});

test('a worker that does not follow to the other side is ended, so that it serves no one from the old one', async () => {
  const { started, target, running } = group();
  started[1]!.response = () => Promise.reject(new Error('late'));
  expect(await target.retarget({ to: 'target' })).toBeUndefined();
  expect(started.map(({ isKilled }) => isKilled)).toEqual([false, true]);
  expect(running.forNewcomer(2, 0)).toEqual([{ kind: 'retarget', order: { to: 'target' } }]);
});

test('one that is late with a retarget has ten seconds: it may take many connections over', async () => {
  const { clock, started, target, errors } = group();
  const [prompt, late] = started as [FakeMember, FakeMember];
  late.response = () => Promise.reject(new WorkerLate([2]));
  const asked = () => target.retarget({ to: 'target' });
  await expect(asked()).rejects.toThrow('worker 2 did not respond within 2 s: all others follow, and it is ended if');
  clock.advance(9);
  await expect(asked()).rejects.toMatchObject({ status: 504 });
  late.response = () => undefined;
  expect(await asked()).toBeUndefined();
  late.reports = [{ ...REPORT, upstream: 'target' }];
  clock.advance(60);
  await new Promise((resolve) => setImmediate(resolve));
  expect([prompt.isKilled, late.isKilled, errors.includes('A worker did not follow, and is ended')]).toEqual([
    ...[false, false, false],
  ]);
});

test.each<[string, (member: FakeMember) => void]>([
  ['does not respond', (member) => (member.report = () => Promise.reject(new WorkerLate([2])))],
  ['is still at the old side', (member) => (member.reports = [{ ...REPORT, upstream: 'source' }])],
])('one that %s ten seconds after a retarget is ended', async (_, make) => {
  const { clock, started, target } = group();
  started[1]!.response = () => Promise.reject(new WorkerLate([2]));
  make(started[1]!);
  await expect(target.retarget({ to: 'target' })).rejects.toThrow(WorkerLate);
  clock.advance(9.9);
  await new Promise((resolve) => setImmediate(resolve));
  expect(started[1]!.isKilled).toBe(false);
  clock.advance(0.2);
  await new Promise((resolve) => setImmediate(resolve));
  expect(started.map(({ isKilled }) => isKilled)).toEqual([false, true]);
});

test('a zero is looked at again until nothing happened in between', async () => {
  const { started, target } = group();
  const ended = (completed: number) => ({
    ...REPORT,
    ended: { ...REPORT.ended, http: { ...NO_ENDINGS, completed } },
  });
  // A request went from the second worker's zero to the first one's, unseen, and is live at the third look.
  started[0]!.reports = [ended(0), ended(1), { ...ended(1), active: { ...NO_CONNECTIONS, http: 1 } }];
  expect((await target.report()).active.http).toBe(1);
});

test('who does not respond in time is an error and no zero; who is gone is neither', async () => {
  const clock = new FakeClock();
  const rpc = new Rpc(3, () => undefined, clock);
  const late = rpc.ask({ kind: 'report' });
  clock.advance(2);
  await expect(late).rejects.toThrow('worker 3 did not respond within 2 s');
  const gone = rpc.ask({ kind: 'report' });
  rpc.end();
  await expect(gone).rejects.toThrow(WorkerGone);
  await expect(rpc.ask({ kind: 'report' })).rejects.toThrow(WorkerGone);
});

test('who was late is not waited for as long again, until it is heard', async () => {
  const clock = new FakeClock();
  const rpc = new Rpc(3, () => undefined, clock);
  const report = { kind: 'report' } as const;
  const asked = [rpc.ask(report)];
  clock.advance(2);
  asked.push(rpc.ask(report));
  clock.advance(0.3);
  rpc.hear({ type: 'response', id: 1, value: REPORT });
  asked.push(rpc.ask(report));
  clock.advance(1.9);
  rpc.hear({ type: 'response', id: 3, value: REPORT });
  const late = { status: 'rejected', reason: { message: 'worker 3 did not respond within 2 s', status: 504 } };
  expect(await Promise.allSettled(asked)).toMatchObject([late, late, { status: 'fulfilled', value: REPORT }]);
});

describe('the hold of a switch', () => {
  const outcomes = { commit: 'target', abort: 'source' } as const;
  const ofSwitch = holdOrder({ epoch: 3, leaseMs: 1_000, maxWaiting: 10, outcomes });
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  function store(decision?: Decision): DecisionStore & { decision: Decision | undefined } {
    return {
      decision,
      readRegime: () => Promise.resolve(undefined),
      readDecision() {
        return Promise.resolve(this.decision);
      },
      propose(_, given) {
        this.decision ??= given;
        return Promise.resolve(this.decision);
      },
    };
  }

  test('lasts at each worker until the primary ends it, and has the lease of the primary', async () => {
    const { started, target, clock } = group(undefined, store());
    expect(await target.hold(ofSwitch)).toBeUndefined();
    for (const { heard } of started) {
      expect(heard).toMatchObject([{ kind: 'hold', order: { epoch: 3, leaseMs: Infinity, maxWaiting: 5, outcomes } }]);
    }
    clock.advance(0.4);
    for (const worker of started) {
      worker.reports = [
        { ...REPORT, hold: { state: 'holding', epoch: 3, waiting: 2, leaseRemainingMs: Infinity, isOfSwitch: true } },
      ];
    }
    expect((await target.report()).hold).toEqual({
      state: 'holding',
      epoch: 3,
      waiting: 4,
      leaseRemainingMs: 600,
      isOfSwitch: true,
    });
  });

  test('ends as the store says when its lease has expired', async () => {
    for (const [decision, to, outcome] of [
      [undefined, 'source', 'abort'],
      [{ outcome: 'commit', by: 'one' }, 'target', 'commit'],
    ] as const) {
      const { started, target, clock, running } = group(undefined, store(decision));
      await target.hold(ofSwitch);
      clock.advance(1);
      await settled();
      await settled();
      expect(started.map(({ heard }) => heard.at(-1))).toEqual([
        { kind: 'release', order: { epoch: 3, outcome } },
        { kind: 'release', order: { epoch: 3, outcome } },
      ]);
      expect(running.side).toBe(to);
    }
  });

  test('knows of a worker that was lost before it began, with its requests', async () => {
    const { target, clock } = group(undefined, store());
    expect(await target.report()).not.toHaveProperty('sinceLossMs');
    target.ended({ isStarted: true } as unknown as Member);
    clock.advance(2);
    expect(await target.report()).toMatchObject({ sinceLossMs: 2_000 });
  });

  test('is kept by a worker that starts meanwhile', async () => {
    const { target, running, clock } = group(undefined, store());
    await target.hold(ofSwitch);
    expect(running.forNewcomer(1, clock.nowMs())).toMatchObject([
      { kind: 'retarget', order: { to: 'source' } },
      { kind: 'hold', order: { epoch: 3, leaseMs: Infinity, outcomes } },
    ]);
  });

  test('ends the worker that does not follow, and releases no other for it', async () => {
    const { started, target } = group(undefined, store());
    started[1]!.response = ({ kind }) => (kind === 'hold' ? 'no' : undefined);
    expect(await target.hold(ofSwitch)).toBeUndefined();
    expect(started[1]!.isKilled).toBe(true);
    expect(started.map(kinds)).toEqual([['hold'], ['hold']]);
  });

  test('needs a store, and keeps the side', async () => {
    expect(await group().target.hold(ofSwitch)).toMatch(/^'switch_store' must be configured/);
    const { target } = group(undefined, store());
    await target.hold(ofSwitch);
    expect(await target.retarget({ to: 'target' })).toMatch(/^the side must stay as it is while a switch holds/);
  });
});

test('an order that reaches no worker is counted', async () => {
  const HOLD = holdOrder({ epoch: 1, leaseMs: 1000, maxWaiting: 10 });
  const { target, clock } = group();
  expect(await target.hold(HOLD)).toBeUndefined();
  expect(await target.release({ epoch: 1, to: 'source' })).toBeUndefined();
  expect(await target.hold({ ...HOLD, epoch: 2, minIntervalMs: 60_000 })).toMatch(/^a hold must begin at least/);
  expect(await target.hold(HOLD)).toMatch(/^'epoch' must be/);
  const outcomes = { commit: 'target', abort: 'source' } as const;
  clock.advance(60);
  expect(await target.hold({ ...HOLD, epoch: 3, outcomes })).toMatch(/^'switch_store' must be/);
  expect((await target.report()).holds.rejected).toMatchObject({ tooSoon: 1, off: 1, full: 0 });
});

test('a report that finds no worker any more is no fault at the end of a shutdown, and one before it', async () => {
  const { started, target, errors } = group();
  started.length = 0;
  await expect(target.report()).rejects.toThrow(/at least one worker/);
  expect(errors).toEqual(['A call to the workers failed']);
  target.isShuttingDown = true;
  await expect(target.report()).rejects.toThrow(/at least one worker/);
  expect(errors).toHaveLength(1);
});

test('the connections of all workers are one list, page after page', async () => {
  const { target, started } = group();
  const live = [
    [1, 2, 3],
    [4, 7],
  ];
  started.forEach((member, index) => {
    member.response = (prompt) => {
      if (prompt.kind !== 'connections') return undefined;
      const { after, limit } = prompt.query;
      const found = live[index]!.filter((serial) => serial > after);
      const connections = found.slice(0, limit).map((serial) => ({ serial }));
      return { connections, hasMore: found.length > limit };
    };
  });
  const list = (query: string) => target.connections(readConnectionQuery(query, new Problems()));
  const all = ['1-1', '1-2', '1-3', '2-4', '2-7'];
  for (let limit = 1; limit <= 6; limit += 1) {
    const pages: string[][] = [];
    for (let next: string | undefined = ''; next !== undefined;) {
      const page = await list(`limit=${limit}${next === '' ? '' : `&after=${next}`}`);
      pages.push(page.connections.map(({ id }) => id));
      expect(page.connections.length).toBeLessThanOrEqual(limit);
      next = page.next;
    }
    expect(pages.flat()).toEqual(all);
  }
  // One that came since is found, and one that went is not missed: a place is a number.
  const first = await list('limit=2');
  live[0]!.splice(1, 1);
  live[1]!.push(9);
  expect((await list(`after=${first.next}`)).connections.map(({ id }) => id)).toEqual(['1-3', '2-4', '2-7', '2-9']);
  expect(started[0]!.queries.at(-1)).toEqual({ after: 2, limit: 100, kinds: CONNECTION_KINDS });
  started[0]!.response = () => {
    throw new WorkerGone('gone');
  };
  expect((await list('')).connections.map(({ id }) => id)).toEqual(['2-4', '2-7', '2-9']);
});

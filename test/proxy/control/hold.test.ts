import type { Decision as SwitchDecision } from '../../../core/switch/decision';
import { startUnder } from '../../../core/switch/regime';
import type { DecisionStore } from '../../../core/switch/decision-store';
import { HoldGate } from '../../../proxy/control/hold';
import type { Decision, RequestHead } from '../../../proxy/data-plane/contract/data-plane';
import { Retarget, listUpstreams } from '../../../proxy/control/retarget';
import { FakeClock } from '../support/fake-clock';
import { holdOrder } from '../../support/hold-order';

const order = holdOrder({ epoch: 1, leaseMs: 10_000, maxWaiting: 10 });
const upstream = (port: number) => ({ protocol: 'http' as const, host: '127.0.0.1', port });

/** A gate alone, with an engine that parks when it is told to, and writes down where each request went. */
class GateWorld {
  readonly clock = new FakeClock();
  readonly retarget: Retarget;
  readonly went: string[] = [];
  readonly holding: boolean[] = [];
  readonly logged: { level: string; figures: object; message: string }[] = [];
  readonly gate: HoldGate;
  faultyDecision: string | undefined;

  streamsEnded = 0;

  constructor(hasOther = true, store?: DecisionStore) {
    this.retarget = new Retarget('source', listUpstreams('source', upstream(1), hasOther ? upstream(2) : undefined));
    const write = (level: string) => (figures: object, message: string) =>
      void this.logged.push({ level, figures, message });
    this.gate = new HoldGate({
      clock: this.clock,
      log: { info: write('info'), warn: write('warn'), error: write('error') },
      retarget: this.retarget,
      decide: (head) => this.decide(head),
      setHolding: (isHolding) => void this.holding.push(isHolding),
      endStreams: () => void (this.streamsEnded += 1),
      ...(store && { store }),
      name: 'a task',
    });
  }

  /** Sends a request, as the engine does. Returns how its client goes away, if it is parked. */
  send(url: string, resumed: (decision: Decision) => void = () => undefined): (() => void) | undefined {
    const head = { url } as RequestHead;
    const take = (decision: Decision) => {
      this.went.push(`${url} ${goal(decision)}`);
      resumed(decision);
    };
    const decision = this.gate.decision(head) ?? this.decide(head);
    if ('hold' in decision) return decision.hold(take);
    take(decision);
    return undefined;
  }

  private decide(head: RequestHead): Decision {
    if (head.url === this.faultyDecision) throw new Error('no decision');
    return { forward: { upstream: this.retarget.upstream } };
  }
}

function goal(decision: Decision): string {
  if ('response' in decision) return String(decision.response.status);
  return 'forward' in decision ? `to ${decision.forward.upstream.port}` : 'held';
}

test('without a hold nothing is said, and nothing held', () => {
  const { gate } = new GateWorld();
  expect(gate.decision({ url: '/a' } as RequestHead)).toBeUndefined();
  expect(gate.report()).toEqual({ state: 'none', epoch: 0, waiting: 0, leaseRemainingMs: 0, isOfSwitch: false });
});

test('requests are parked, and released in their order to the side that is named', () => {
  const cloud = new GateWorld();
  expect(cloud.gate.hold(order)).toBeUndefined();
  for (const url of ['/a', '/b', '/c']) cloud.send(url);
  expect(cloud.went).toEqual([]);
  expect(cloud.gate.report()).toEqual({
    state: 'holding',
    epoch: 1,
    waiting: 3,
    leaseRemainingMs: 10_000,
    isOfSwitch: false,
  });
  cloud.clock.advance(2);
  expect(cloud.gate.release({ epoch: 1, to: 'target' })).toBeUndefined();
  expect(cloud.went).toEqual(['/a to 2', '/b to 2', '/c to 2']);
  expect(cloud.gate.report()).toEqual({ state: 'none', epoch: 1, waiting: 0, leaseRemainingMs: 0, isOfSwitch: false });
  expect(cloud.gate.figures).toMatchObject({ released: 3, rejected: { clientGone: 0 }, heldMs: 6_000 });
  expect(cloud.clock.waiting).toBe(0);
  cloud.send('/d');
  expect(cloud.went.at(-1)).toBe('/d to 2');
});

test('the data plane is notified once when a hold begins, and once when it has ended', () => {
  const cloud = new GateWorld();
  cloud.gate.hold(order);
  cloud.gate.hold(order);
  cloud.gate.hold({ ...order, epoch: 2 });
  expect(cloud.holding).toEqual([true]);
  cloud.gate.release({ epoch: 2, to: 'source' });
  cloud.gate.release({ epoch: 2, to: 'source' });
  expect(cloud.holding).toEqual([true, false]);
});

test('the one who finds no room is asked to come back', () => {
  const cloud = new GateWorld();
  cloud.gate.hold({ ...order, maxWaiting: 1 });
  cloud.send('/a');
  const decision = cloud.gate.decision({ url: '/b' } as RequestHead);
  expect(decision).toMatchObject({ response: { status: 503, headers: { 'retry-after': '2' } } });
  expect(cloud.gate.figures.rejected.full).toBe(1);
});

test('a client that leaves makes room, and is not released', () => {
  const cloud = new GateWorld();
  cloud.gate.hold({ ...order, maxWaiting: 1 });
  const leave = cloud.send('/a');
  leave?.();
  leave?.();
  cloud.send('/b');
  expect(cloud.gate.report().waiting).toBe(1);
  cloud.gate.release({ epoch: 1, to: 'source' });
  leave?.();
  expect(cloud.went).toEqual(['/b to 1']);
  expect(cloud.gate.figures).toMatchObject({ released: 1, rejected: { clientGone: 1 } });
});

test('a client that another one takes along while they are released is not released', () => {
  const cloud = new GateWorld();
  cloud.gate.hold(order);
  const leave: ((() => void) | undefined)[] = [];
  cloud.send('/a', () => leave[0]?.());
  leave.push(cloud.send('/b'));
  cloud.send('/c');
  cloud.gate.release({ epoch: 1, to: 'source' });
  expect(cloud.went).toEqual(['/a to 1', '/c to 1']);
});

test('an error while one is released does not strand the others', () => {
  const cloud = new GateWorld();
  cloud.gate.hold(order);
  cloud.faultyDecision = '/b';
  cloud.send('/a', () => {
    throw new Error('no resume');
  });
  cloud.send('/b');
  cloud.send('/c');
  cloud.gate.release({ epoch: 1, to: 'target' });
  expect(cloud.went).toEqual(['/a to 2', '/b 500', '/c to 2']);
  expect(cloud.logged.filter(({ level }) => level === 'error').map(({ message }) => message)).toEqual([
    'A held request could not be released',
    'A held request could not be decided',
  ]);
  expect(cloud.holding).toEqual([true, false]);
});

test('a request that was decided before the hold ended, and parked after, is released', () => {
  const cloud = new GateWorld();
  cloud.gate.hold(order);
  const decision = cloud.gate.decision({ url: '/late' } as RequestHead);
  cloud.gate.release({ epoch: 1, to: 'target' });
  const resumed: Decision[] = [];
  if (decision && 'hold' in decision) decision.hold((next) => resumed.push(next));
  expect(resumed).toEqual([]);
  cloud.clock.advance(0);
  expect(resumed).toEqual([{ forward: { upstream: upstream(2) } }]);
  expect(cloud.gate.report().waiting).toBe(0);
});

describe('the lease', () => {
  test('has ended: what is parked goes where requests go', () => {
    const cloud = new GateWorld();
    cloud.gate.hold(order);
    cloud.send('/a');
    cloud.clock.advance(9.999);
    expect(cloud.went).toEqual([]);
    cloud.clock.advance(0.001);
    expect(cloud.went).toEqual(['/a to 1']);
    expect(cloud.holding).toEqual([true, false]);
    expect(cloud.logged.at(-1)).toMatchObject({ level: 'warn', message: 'Hold ended: its lease has expired' });
    expect(cloud.gate.release({ epoch: 1, to: 'target' })).toContain('whose hold ended by itself');
    expect(cloud.retarget.side).toBe('source');
  });

  test('is renewed by the same order', () => {
    const cloud = new GateWorld();
    cloud.gate.hold(order);
    cloud.send('/a');
    cloud.clock.advance(9);
    expect(cloud.gate.hold(order)).toBeUndefined();
    cloud.clock.advance(9.9);
    expect(cloud.gate.report()).toEqual({
      state: 'holding',
      epoch: 1,
      waiting: 1,
      leaseRemainingMs: 100,
      isOfSwitch: false,
    });
    cloud.clock.advance(0.1);
    expect(cloud.went).toEqual(['/a to 1']);
  });

  test('of a new hold is not ended by the timer of an old one', () => {
    const cloud = new GateWorld();
    cloud.gate.hold(order);
    cloud.gate.release({ epoch: 1, to: 'source' });
    cloud.clock.advance(5);
    cloud.gate.hold({ ...order, epoch: 2 });
    cloud.clock.advance(9);
    expect(cloud.gate.isHolding).toBe(true);
  });

  test('goes to the side that a hold was retargeted to', () => {
    const cloud = new GateWorld();
    cloud.gate.hold(order);
    cloud.send('/a');
    expect(cloud.gate.retarget({ to: 'target' })).toBeUndefined();
    expect(cloud.went).toEqual([]);
    cloud.clock.advance(10);
    expect(cloud.went).toEqual(['/a to 2']);
  });
});

test('a conflict leaves the hold as it is', () => {
  const cloud = new GateWorld();
  cloud.gate.hold({ ...order, epoch: 3 });
  cloud.send('/a');
  expect(cloud.gate.hold({ ...order, epoch: 2 })).toBe("'epoch' must be at least 3, the highest seen, got 2");
  expect(cloud.gate.release({ epoch: 4, to: 'target' })).toContain('must be 3');
  expect(cloud.gate.report()).toMatchObject({ state: 'holding', epoch: 3, waiting: 1 });
  expect(cloud.retarget.side).toBe('source');
  expect(cloud.went).toEqual([]);
});

test('without another upstream requests can go to the own side only', () => {
  const cloud = new GateWorld(false);
  const problem = "'other_upstream' must be configured to go to 'target', got nothing";
  expect(cloud.gate.retarget({ to: 'target' })).toBe(problem);
  expect(cloud.gate.retarget({ to: 'source' })).toBeUndefined();
  cloud.gate.hold(order);
  cloud.send('/a');
  expect(cloud.gate.release({ epoch: 1, to: 'target' })).toBe(problem);
  expect(cloud.gate.report()).toMatchObject({ state: 'holding', waiting: 1 });
  expect(cloud.gate.release({ epoch: 1, to: 'source' })).toBeUndefined();
  expect(cloud.went).toEqual(['/a to 1']);
});

test('a repeated release does not undo a retarget that came after it', () => {
  const cloud = new GateWorld();
  cloud.gate.hold(order);
  cloud.gate.release({ epoch: 1, to: 'target' });
  cloud.gate.retarget({ to: 'source' });
  expect(cloud.gate.release({ epoch: 1, to: 'target' })).toBeUndefined();
  expect(cloud.retarget.side).toBe('source');
});

test('a shutdown releases what is parked', () => {
  const cloud = new GateWorld();
  cloud.gate.hold(order);
  cloud.send('/a');
  cloud.gate.end();
  cloud.gate.end();
  expect(cloud.went).toEqual(['/a to 1']);
  expect(cloud.holding).toEqual([true, false]);
  expect(cloud.logged.at(-1)).toMatchObject({ message: 'Hold ended by the shutdown' });
  expect(cloud.clock.waiting).toBe(0);
});

test('what is logged at the end counts this hold alone', () => {
  const cloud = new GateWorld();
  cloud.gate.hold(order);
  cloud.send('/a');
  cloud.gate.release({ epoch: 1, to: 'source' });
  cloud.gate.hold({ ...order, epoch: 2 });
  cloud.send('/b');
  cloud.send('/c')?.();
  cloud.clock.advance(1);
  cloud.gate.release({ epoch: 2, to: 'target' });
  expect(cloud.logged.at(-1)).toEqual({
    level: 'info',
    message: 'Hold released',
    figures: { epoch: 2, to: 'target', released: 1, clientGone: 1, full: 0, windowOver: 0, heldMs: 1_000 },
  });
});

test('a request waits for as long as it may, and then gets 503', () => {
  const cloud = new GateWorld();
  cloud.gate.hold(holdOrder({ ...order, maxWaitMs: 1_000 }));
  cloud.send('/a');
  cloud.clock.advance(0.6);
  cloud.send('/b');
  cloud.clock.advance(0.5);
  expect(cloud.went).toEqual(['/a 503']);
  cloud.clock.advance(0.5);
  expect(cloud.went).toEqual(['/a 503', '/b 503']);
  expect(cloud.gate.figures.rejected).toEqual({ full: 0, windowOver: 2, clientGone: 0 });
  expect(cloud.gate.report()).toMatchObject({ state: 'holding', waiting: 0 });
});

test('nothing is parked for longer than a hold may take at all', () => {
  const cloud = new GateWorld();
  cloud.gate.hold(holdOrder({ ...order, maxHoldMs: 2_000 }));
  cloud.send('/a');
  cloud.clock.advance(2);
  expect(cloud.went).toEqual(['/a 503']);
  cloud.send('/b');
  expect(cloud.went).toEqual(['/a 503', '/b 503']);
});

test('a ramp releases in order, twice as fast each second, and who comes meanwhile waits behind', () => {
  const cloud = new GateWorld();
  cloud.gate.hold(holdOrder({ ...order, maxWaiting: 100 }));
  for (let number = 0; number < 40; number += 1) cloud.send(`/${number}`);
  cloud.gate.release({ epoch: 1, to: 'target', rampPerSecond: 10 });
  expect(cloud.went).toEqual(['/0 to 2']);
  cloud.send('/late');
  cloud.clock.advance(1);
  expect(cloud.went.length).toBeGreaterThanOrEqual(10);
  expect(cloud.went.length).toBeLessThanOrEqual(12);
  cloud.clock.advance(2);
  expect(cloud.went.at(-1)).toBe('/late to 2');
  expect(cloud.went).toHaveLength(41);
  expect(cloud.gate.isHolding).toBe(false);
  expect(cloud.holding).toEqual([true, false]);
});

test('a hold that begins in the middle of a ramp keeps what still waits', () => {
  const cloud = new GateWorld();
  cloud.gate.hold(order);
  for (const url of ['/a', '/b', '/c']) cloud.send(url);
  cloud.gate.release({ epoch: 1, to: 'target', rampPerSecond: 1 });
  expect(cloud.went).toEqual(['/a to 2']);
  expect(cloud.gate.hold({ ...order, epoch: 2 })).toBeUndefined();
  cloud.send('/d');
  cloud.clock.advance(9);
  expect(cloud.went).toEqual(['/a to 2']);
  cloud.gate.release({ epoch: 2, to: 'source' });
  expect(cloud.went).toEqual(['/a to 2', '/b to 1', '/c to 1', '/d to 1']);
  expect(cloud.gate.isHolding).toBe(false);
});

test('a dry run holds nothing, and says how many would have waited', () => {
  const cloud = new GateWorld();
  expect(cloud.gate.hold(holdOrder({ ...order, leaseMs: 1_000, maxWaiting: 1, dryRun: true }))).toBeUndefined();
  for (const url of ['/a', '/b', '/c']) cloud.send(url);
  expect(cloud.went).toHaveLength(3);
  expect(cloud.gate.dryRunReport()).toEqual({ epoch: 1, waiting: 3, full: 2, isOver: false });
  expect(cloud.gate.isHolding).toBe(true);
  cloud.clock.advance(1);
  // No request asks the gate any more.
  expect(cloud.gate.isHolding).toBe(false);
  cloud.send('/d');
  expect(cloud.gate.dryRunReport()).toEqual({ epoch: 1, waiting: 3, full: 2, isOver: true });
  expect(cloud.gate.report()).toMatchObject({ state: 'none', epoch: 0 });
});

test('a dry run takes the place of the one before it, and a hold that of either', () => {
  const cloud = new GateWorld();
  const dry = (epoch: number, leaseMs: number) =>
    cloud.gate.hold(holdOrder({ ...order, epoch, leaseMs, dryRun: true }));
  dry(7, 1_000);
  cloud.send('/a');
  cloud.clock.advance(0.5);
  dry(5, 1_000);
  cloud.clock.advance(0.6);
  cloud.send('/b');
  expect(cloud.gate.dryRunReport()).toEqual({ epoch: 5, waiting: 1, full: 0, isOver: false });
  cloud.gate.hold(order);
  expect(cloud.gate.dryRunReport()).toBeUndefined();
  dry(6, 1_000);
  cloud.gate.stop();
  expect(cloud.clock.waiting).toBe(0);
});

describe('the hold of a switch', () => {
  const outcomes = { commit: 'target', abort: 'source' } as const;
  const ofSwitch = holdOrder({ ...order, leaseMs: 1_000, outcomes, endsStreams: true });

  /** A store that responds when the test says so. */
  class Store implements DecisionStore {
    decision: SwitchDecision | undefined;
    isAway = false;
    readonly proposed: string[] = [];
    readRegime = () => this.respond(undefined);
    readDecision = () => this.respond(this.decision);
    propose = (epoch: number, decision: SwitchDecision) => {
      this.proposed.push(`${epoch} ${decision.outcome} by ${decision.by}`);
      if (!this.isAway) this.decision ??= decision;
      return this.respond(this.decision as SwitchDecision);
    };

    private respond<T>(value: T): Promise<T> {
      return this.isAway ? Promise.reject(new Error('S3 is away')) : Promise.resolve(value);
    }
  }

  /** What the store responded to has arrived. */
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  test('is rejected where there is no store to ask', () => {
    const cloud = new GateWorld();
    expect(cloud.gate.hold(ofSwitch)).toBe("'switch_store' must be configured for the hold of a switch, got nothing");
    expect(cloud.gate.isHolding).toBe(false);
  });

  test('closes what streams, and is released as any other', () => {
    const cloud = new GateWorld(true, new Store());
    expect(cloud.gate.hold(ofSwitch)).toBeUndefined();
    expect(cloud.gate.hold(ofSwitch)).toBeUndefined();
    expect(cloud.streamsEnded).toBe(1);
    // One that was a plain request when the hold began.
    cloud.clock.advance(0.1);
    expect(cloud.streamsEnded).toBeGreaterThan(1);
    cloud.send('/a');
    expect(cloud.gate.release({ epoch: 1, to: 'target' })).toMatch(/^'outcome' must be given/);
    expect(cloud.gate.retarget({ to: 'target' })).toMatch(/^the side must stay as it is/);
    expect(cloud.gate.release({ epoch: 1, outcome: 'commit' })).toBeUndefined();
    expect(cloud.went).toEqual(['/a to 2']);
    expect(cloud.gate.committed).toBe(1);
  });

  test('asks for an abort when its lease has expired, and follows a commit that came first', async () => {
    const store = new Store();
    const cloud = new GateWorld(true, store);
    cloud.gate.hold(ofSwitch);
    cloud.send('/a');
    store.decision = { outcome: 'commit', by: 'the cutover' };
    cloud.clock.advance(1);
    await settled();
    expect(store.proposed).toEqual(['1 abort by a task']);
    expect(cloud.went).toEqual(['/a to 2']);
  });

  test('returns to the side of before when no decision was made', async () => {
    const store = new Store();
    const cloud = new GateWorld(true, store);
    cloud.gate.hold(ofSwitch);
    cloud.send('/a');
    cloud.clock.advance(1);
    await settled();
    expect(store.decision).toMatchObject({ outcome: 'abort' });
    expect(cloud.went).toEqual(['/a to 1']);
  });

  test('guesses nothing while the store is away: it rejects at the end of its time, and follows in the end', async () => {
    const store = new Store();
    store.isAway = true;
    const cloud = new GateWorld(true, store);
    cloud.gate.hold({ ...ofSwitch, maxHoldMs: 3_000 });
    cloud.send('/a');
    for (let tick = 0; tick < 50; tick += 1) {
      cloud.clock.advance(0.1);
      await settled();
    }
    expect(cloud.went).toEqual(['/a 503']);
    cloud.send('/b');
    expect(cloud.went).toEqual(['/a 503', '/b 503']);
    expect(cloud.gate.report()).toMatchObject({ state: 'deciding', epoch: 1 });
    store.isAway = false;
    store.decision = { outcome: 'commit', by: 'the cutover' };
    cloud.clock.advance(3);
    await settled();
    cloud.send('/c');
    expect(cloud.went.at(-1)).toBe('/c to 2');
  });

  test('hears of a decision whose release was lost, long before its lease expires', async () => {
    const store = new Store();
    const cloud = new GateWorld(true, store);
    cloud.gate.hold({ ...ofSwitch, leaseMs: 60_000 });
    cloud.send('/a');
    store.decision = { outcome: 'commit', by: 'the cutover' };
    cloud.clock.advance(1);
    await settled();
    expect(cloud.went).toEqual(['/a to 2']);
    expect(store.proposed).toEqual([]);
  });

  test('goes on through a shutdown, and keeps the side', async () => {
    const store = new Store();
    const cloud = new GateWorld(true, store);
    cloud.gate.hold(ofSwitch);
    cloud.send('/a');
    cloud.gate.end();
    expect(cloud.gate.retarget({ to: 'target' })).toBe(
      "the side must stay as it is while a switch holds (epoch 1), got 'target'",
    );
    expect(cloud.went).toEqual([]);
    store.decision = { outcome: 'commit', by: 'the cutover' };
    cloud.clock.advance(1);
    await settled();
    expect(cloud.went).toEqual(['/a to 2']);
  });

  test('of a later switch says where requests go if it comes to nothing, to a task that missed the end of the first', async () => {
    const store = new Store();
    const cloud = new GateWorld(true, store);
    cloud.gate.hold(ofSwitch);
    cloud.send('/a');
    cloud.gate.hold({ ...ofSwitch, epoch: 2, outcomes: { commit: 'source', abort: 'target' } });
    cloud.clock.advance(1);
    await settled();
    expect(cloud.went).toEqual(['/a to 2']);
  });

  test('is what a task starts with that reads a regime of a switch', async () => {
    const store = new Store();
    const cloud = new GateWorld(true, store);
    const switching = { to: 'target', execution: 'x', leaseMs: 1_000, limits: order } as const;
    const { hold: held, side } = startUnder(
      { epoch: 7, committed: 4, side: 'source', isJoined: false, switching },
      'source',
      cloud.clock.nowMs(),
    );
    cloud.gate.startAs(held, side);
    cloud.send('/a');
    expect(cloud.gate.report()).toMatchObject({ state: 'holding', epoch: 7, waiting: 1 });
    store.decision = { outcome: 'commit', by: 'the cutover' };
    cloud.clock.advance(1);
    await settled();
    expect(cloud.went).toEqual(['/a to 2']);
    const later = startUnder({ epoch: 7, committed: 7, side: 'target', isJoined: true }, 'source', 0);
    const fresh = new GateWorld(true, store);
    fresh.gate.startAs(later.hold, later.side);
    fresh.send('/b');
    expect(fresh.went).toEqual(['/b to 2']);
    expect(fresh.gate.committed).toBe(7);
  });
});

test('each rejection is counted with its reason, of requests and of orders', () => {
  const cloud = new GateWorld();
  const { gate, clock } = cloud;
  gate.hold({ ...order, maxWaiting: 1, maxHoldMs: 2_000 });
  const left = cloud.send('/a');
  cloud.send('/b');
  left?.();
  clock.advance(2.5);
  cloud.send('/c');
  gate.release({ epoch: 1, to: 'source' });
  gate.hold({ ...order, epoch: 2, minIntervalMs: 60_000 });
  // Late and doubled calls are of another time: nothing was to be held for them.
  gate.hold({ ...order, epoch: 1 });
  // This proxy has no store.
  gate.hold({ ...order, epoch: 3, outcomes: { commit: 'target', abort: 'source' } });
  gate.rejectOrder('the proxy shuts down');
  expect(gate.totals).toEqual({
    released: 0,
    rejected: { full: 1, windowOver: 1, clientGone: 1, tooSoon: 1, off: 2 },
  });
});

import { HoldGate } from '../../../proxy/control/hold';
import type { Decision, RequestHead } from '../../../proxy/data-plane/contract/data-plane';
import { Retarget, listUpstreams } from '../../../proxy/control/retarget';
import { FakeClock } from '../support/fake-clock';

const order = { epoch: 1, leaseMs: 10_000, maxWaiting: 10 };
const upstream = (port: number) => ({ protocol: 'http' as const, host: '127.0.0.1', port });

/** A gate alone, with an engine that parks when it is told to, and writes down where each request went. */
class LocalCloud {
  readonly clock = new FakeClock();
  readonly retarget: Retarget;
  readonly went: string[] = [];
  readonly holding: boolean[] = [];
  readonly logged: { level: string; figures: object; message: string }[] = [];
  readonly gate: HoldGate;
  faultyDecision: string | undefined;

  constructor(hasOther = true) {
    this.retarget = new Retarget('source', listUpstreams('source', upstream(1), hasOther ? upstream(2) : undefined));
    const write = (level: string) => (figures: object, message: string) =>
      void this.logged.push({ level, figures, message });
    this.gate = new HoldGate({
      clock: this.clock,
      log: { info: write('info'), warn: write('warn'), error: write('error') },
      retarget: this.retarget,
      decide: (head) => this.decide(head),
      setHolding: (isHolding) => void this.holding.push(isHolding),
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
  const { gate } = new LocalCloud();
  expect(gate.decision({ url: '/a' } as RequestHead)).toBeUndefined();
  expect(gate.report()).toEqual({ state: 'none', epoch: 0, waiting: 0, leaseRemainingMs: 0 });
});

test('requests are parked, and released in their order to the side that is named', () => {
  const cloud = new LocalCloud();
  expect(cloud.gate.hold(order)).toBeUndefined();
  for (const url of ['/a', '/b', '/c']) cloud.send(url);
  expect(cloud.went).toEqual([]);
  expect(cloud.gate.report()).toEqual({ state: 'holding', epoch: 1, waiting: 3, leaseRemainingMs: 10_000 });
  cloud.clock.advance(2);
  expect(cloud.gate.release({ epoch: 1, to: 'target' })).toBeUndefined();
  expect(cloud.went).toEqual(['/a to 2', '/b to 2', '/c to 2']);
  expect(cloud.gate.report()).toEqual({ state: 'none', epoch: 1, waiting: 0, leaseRemainingMs: 0 });
  expect(cloud.gate.figures).toMatchObject({ released: 3, left: 0, heldMs: 6_000 });
  expect(cloud.clock.waiting).toBe(0);
  cloud.send('/d');
  expect(cloud.went.at(-1)).toBe('/d to 2');
});

test('the data plane is notified once when a hold begins, and once when it has ended', () => {
  const cloud = new LocalCloud();
  cloud.gate.hold(order);
  cloud.gate.hold(order);
  cloud.gate.hold({ ...order, epoch: 2 });
  expect(cloud.holding).toEqual([true]);
  cloud.gate.release({ epoch: 2, to: 'source' });
  cloud.gate.release({ epoch: 2, to: 'source' });
  expect(cloud.holding).toEqual([true, false]);
});

test('the one who finds no room is asked to come back', () => {
  const cloud = new LocalCloud();
  cloud.gate.hold({ ...order, maxWaiting: 1 });
  cloud.send('/a');
  const decision = cloud.gate.decision({ url: '/b' } as RequestHead);
  expect(decision).toMatchObject({ response: { status: 503, headers: { 'retry-after': '2' } } });
  expect(cloud.gate.figures.refused).toBe(1);
});

test('a client that leaves makes room, and is not released', () => {
  const cloud = new LocalCloud();
  cloud.gate.hold({ ...order, maxWaiting: 1 });
  const leave = cloud.send('/a');
  leave?.();
  leave?.();
  cloud.send('/b');
  expect(cloud.gate.report().waiting).toBe(1);
  cloud.gate.release({ epoch: 1, to: 'source' });
  leave?.();
  expect(cloud.went).toEqual(['/b to 1']);
  expect(cloud.gate.figures).toMatchObject({ released: 1, left: 1 });
});

test('a client that another one takes along while they are released is not released', () => {
  const cloud = new LocalCloud();
  cloud.gate.hold(order);
  const leave: ((() => void) | undefined)[] = [];
  cloud.send('/a', () => leave[0]?.());
  leave.push(cloud.send('/b'));
  cloud.send('/c');
  cloud.gate.release({ epoch: 1, to: 'source' });
  expect(cloud.went).toEqual(['/a to 1', '/c to 1']);
});

test('an error while one is released does not strand the others', () => {
  const cloud = new LocalCloud();
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
  const cloud = new LocalCloud();
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
    const cloud = new LocalCloud();
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
    const cloud = new LocalCloud();
    cloud.gate.hold(order);
    cloud.send('/a');
    cloud.clock.advance(9);
    expect(cloud.gate.hold(order)).toBeUndefined();
    cloud.clock.advance(9.9);
    expect(cloud.gate.report()).toEqual({ state: 'holding', epoch: 1, waiting: 1, leaseRemainingMs: 100 });
    cloud.clock.advance(0.1);
    expect(cloud.went).toEqual(['/a to 1']);
  });

  test('of a new hold is not ended by the timer of an old one', () => {
    const cloud = new LocalCloud();
    cloud.gate.hold(order);
    cloud.gate.release({ epoch: 1, to: 'source' });
    cloud.clock.advance(5);
    cloud.gate.hold({ ...order, epoch: 2 });
    cloud.clock.advance(9);
    expect(cloud.gate.isHolding).toBe(true);
  });

  test('goes to the side that a hold was retargeted to', () => {
    const cloud = new LocalCloud();
    cloud.gate.hold(order);
    cloud.send('/a');
    expect(cloud.gate.retarget({ to: 'target' })).toBeUndefined();
    expect(cloud.went).toEqual([]);
    cloud.clock.advance(10);
    expect(cloud.went).toEqual(['/a to 2']);
  });
});

test('a conflict leaves the hold as it is', () => {
  const cloud = new LocalCloud();
  cloud.gate.hold({ ...order, epoch: 3 });
  cloud.send('/a');
  expect(cloud.gate.hold({ ...order, epoch: 2 })).toBe("'epoch' must be at least 3, the highest seen, got 2");
  expect(cloud.gate.release({ epoch: 4, to: 'target' })).toContain('must be 3');
  expect(cloud.gate.report()).toMatchObject({ state: 'holding', epoch: 3, waiting: 1 });
  expect(cloud.retarget.side).toBe('source');
  expect(cloud.went).toEqual([]);
});

test('without another upstream requests can go to the own side only', () => {
  const cloud = new LocalCloud(false);
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
  const cloud = new LocalCloud();
  cloud.gate.hold(order);
  cloud.gate.release({ epoch: 1, to: 'target' });
  cloud.gate.retarget({ to: 'source' });
  expect(cloud.gate.release({ epoch: 1, to: 'target' })).toBeUndefined();
  expect(cloud.retarget.side).toBe('source');
});

test('a shutdown releases what is parked', () => {
  const cloud = new LocalCloud();
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
  const cloud = new LocalCloud();
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
    figures: { epoch: 2, to: 'target', released: 1, left: 1, refused: 0, heldMs: 1_000 },
  });
});

import { CutoverRun, rollBack } from '../../../core/cutover/run';
import type { ProbeOrder } from '../../../core/proxy/probe';
import { verifyTrace } from '../../../core/switch/verify-trace';
import type { Side } from '../../../core/traffic/weights';
import type { Ports } from '../../../lambda/contract/ports';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { preflight } from '../../../lambda/steps/preflight';
import { rollback } from '../../../lambda/steps/rollback';
import { switchStep } from '../../../lambda/steps/switch';
import { switchBack } from '../../../lambda/switch/switch-back';
import { TwoHosts } from '../switch/two-hosts';
import { MortalPorts } from './mortal-ports';
import { SwitchCloud } from './switch-cloud';

const CHECKPOINT = {
  documentName: 'Hosts',
  source: { instanceId: 'i-00000000000000001' },
  target: { instanceId: 'i-00000000000000002' },
  verifyPath: '/digest',
};
// A busy machine is no verdict.
const TIMEOUTS = { freeze: 5_000, transfer: 5_000, verify: 5_000, thaw: 2_000 };

let cloud: SwitchCloud;
let hosts: TwoHosts;
beforeEach(begin);
afterEach(end);

function begin(): void {
  cloud = new SwitchCloud();
  hosts = new TwoHosts(() => cloud.ports.now());
  hosts.connect(cloud.proxies);
  cloud.hosts = hosts;
  // Clients go on all the time, as far as they are not held.
  hosts.before = () => Promise.resolve(request());
  request();
}

async function end(): Promise<void> {
  await hosts.settle();
  cloud.end();
}

/** Clients come where the weight is. */
const request = () => cloud.proxies.filter(({ home }) => home === 'source').forEach((task) => task.request());
const start = ({ state = {}, ...plan }: { readonly state?: object; readonly [name: string]: unknown } = {}) =>
  cloud.switching({
    state: { checkpoint: CHECKPOINT, timeoutMs: TIMEOUTS, ...state },
    ...{ maxPauseMs: 20_000, attempts: 1 },
    ...plan,
  });
const step = (run: CutoverRun) => switchStep(run, cloud.ports, cloud.nowMs);
const back = (run: CutoverRun) => rollback(run, cloud.ports, cloud.nowMs);
const parts = (run: CutoverRun) => run.switches?.at(-1)?.hook?.map(({ part, side }) => `${part} ${side}`);
const find = (run: CutoverRun, part: string) => run.switches?.at(-1)?.hook?.find((each) => each.part === part);
const during = (action: string, moment: string, work: () => unknown) => {
  hosts.before = async (at, order) => {
    request();
    if (at === moment && order.action === action) await work();
  };
};

/** The side that serves has all that was acknowledged, in an application that runs; the trace is one of the model's. */
function expectServedBy(side: Side, run: CutoverRun): void {
  request();
  const { state, memory } = hosts.find(side);
  expect({ state, unserved: hosts.unserved }).toEqual({ state: 'running', unserved: [] });
  expect(memory.filter((each) => each.startsWith('write'))).toEqual(hosts.acknowledged);
  expect(cloud.switches.regime?.side ?? 'source').toBe(side);
  for (const record of run.switches ?? []) {
    if (record.trace) expect(verifyTrace({ ...record, trace: record.trace }).fault).toBeUndefined();
  }
}

function expectAborted(run: CutoverRun, why: RegExp): void {
  expect(run).toMatchObject({ verdict: 'rollBack', switches: [{ outcome: 'abort' }] });
  expect(run.switches?.[0]?.why).toMatch(why);
  expectServedBy('source', run);
  const { state, from } = hosts.find('target');
  expect({ state, from }).toEqual({ state: 'running', from: undefined });
}

test('the memory goes along: dumped and stopped at one host, restored at the other, and compared', async () => {
  const after = await step(start());
  expect(after).toMatchObject({ verdict: 'go', switches: [{ outcome: 'commit', fence: 'drained' }] });
  expect(parts(after)).toEqual(['prepare target', 'freeze source', 'transfer target', 'verify target']);
  expect(find(after, 'freeze')?.bytes).toBe(find(after, 'transfer')?.bytes);
  expect(hosts.calls).toEqual([
    ...['check source 1', 'check target 1', 'prepare source 0'],
    ...['dump source 1', 'restore target 1'],
  ]);
  expect(hosts.find('source').state).toBe('stopped');
  expectServedBy('target', after);
});

test('what differs behind the restore aborts: the dumped processes go on, and the target has a fresh application', async () => {
  during('restore', 'read', () => hosts.find('target').memory.push('planted'));
  const after = await step(start());
  expectAborted(after, /'verify' must have one digest of both sides, got/);
  expect(parts(after)?.slice(-2)).toEqual(['thaw source', 'discard target']);
  expect(hosts.calls.slice(-3)).toEqual(['resume source 1', 'suspend target 1', 'discard target 1']);
  expect(after.switches?.[0]).not.toHaveProperty('left');
});

test('images of another size abort', async () => {
  hosts.arriving = (bytes) => bytes - 1;
  expectAborted(await step(start()), /the images must have \d+ bytes on both hosts, got \d+/);
});

test('memory over the limit is not dumped, also where it grew behind the check', async () => {
  const sizes = hosts.find('source').memory;
  const failed = await step(start({ state: { maxBytes: 1 } }));
  expect(failed.failure?.message).toMatch(/at most 1 bytes may be copied, got \d+ of the application's memory/);
  expect(hosts.calls).toEqual(['check source 1', 'check target 1', 'discard target 0']);
  during('prepare', 'run', () => sizes.push(...Array<string>(50).fill('more')));
  const maxBytes = 1_000 * (sizes.length + 40);
  expectAborted(await step(start({ state: { maxBytes } })), /at most \d+ bytes may be copied, got \d+$/);
});

const failure = (why: string) => JSON.stringify({ ok: false, why });
const lost = () => Promise.reject(new Error('the network is away'));

describe.each(['dump', 'restore'] as const)('a %s', (action) => {
  test('that fails aborts with its reason', async () => {
    hosts.instead = (order) => (order.action === action ? failure('no room') : undefined);
    expectAborted(await step(start()), new RegExp(`'${action}' must succeed, got no room`));
  });

  test.each(['send', 'sent', 'read'] as const)('whose %s is lost aborts, whatever it did', async (moment) => {
    during(action, moment, lost);
    expectAborted(await step(start()), /the network is away/);
  });

  test('that hangs aborts after its limit, and changes nothing when it comes later', async () => {
    let go: () => void = () => undefined;
    during(action, 'run', () => new Promise<void>((resolve) => (go = resolve)));
    const limits = { ...TIMEOUTS, freeze: 400, transfer: 400 };
    const after = await step(start({ state: { timeoutMs: limits } }));
    const count = hosts.calls.length;
    go();
    await new Promise(setImmediate);
    await hosts.settle();
    expect(hosts.calls).toHaveLength(count);
    expectAborted(after, /must end .*within 0\.4 s, got no end/);
  });

  test('that begins only behind its limit is none', async () => {
    during(action, 'run', () => void (cloud.nowMs += 30_000));
    await step(start());
    expect(hosts.calls.join()).not.toContain(`${action} s`);
    expectServedBy('source', cloud.lock!);
  });
});

test('a restored application that ends before the decision aborts', async () => {
  for (const task of cloud.proxies) {
    const { called } = task;
    task.called = async (order) => {
      const response = await called(order);
      if (order.to === 'target' && order.method === 'POST') hosts.find('target').state = 'ended';
      return response;
    };
  }
  const after = await step(start());
  expect(parts(after)?.slice(1, 4)).toEqual(['freeze source', 'transfer target', 'verify target']);
  expect(find(after, 'verify')).not.toHaveProperty('problem');
  expectAborted(after, /the backend of the target must respond right before the decision, got .*it is ended/);
});

test('a restored application that never responds aborts', async () => {
  during('restore', 'read', () => void (hosts.find('target').state = 'stopped'));
  const timeoutMs = { ...TIMEOUTS, verify: 400 };
  expectAborted(await step(start({ state: { timeoutMs } })), /got .*(it is stopped|no end)/);
});

test('without an application, or a host that can, nothing is held', async () => {
  hosts.find('target').state = 'ended';
  const failed = await step(start());
  expect(failed.failure?.message).toContain(
    "the state must be copied to the target before the hold, got: the host of the target: 'check' must succeed, got an application must run, got none",
  );
  expect(cloud.switches.regime).toBeUndefined();
  await expect(preflight(start(), cloud.ports, cloud.nowMs)).rejects.toThrow(
    "the host of the target: 'check' must succeed, got an application must run",
  );
  hosts.find('target').state = 'running';
  await expect(preflight(start(), cloud.ports, cloud.nowMs)).resolves.toMatchObject({ verdict: 'switch' });
});

test('preflight asks both backends for the path of the digest', async () => {
  hosts.find('source').state = 'stopped';
  await expect(preflight(start(), cloud.ports, cloud.nowMs)).rejects.toThrow(
    'the source must respond with less than 400 to OPTIONS /digest',
  );
});

test('an early dump that takes long is followed by the next call, and an operator who stops it finds nothing changed', async () => {
  let go: () => void = () => undefined;
  hosts.before = async (at, { action }) => {
    request();
    if (action === 'prepare' && at === 'run') await new Promise<void>((resolve) => (go = resolve));
    if (action === 'prepare' && at === 'read') cloud.nowMs += 60_000;
  };
  const copying = await step(start());
  expect(copying).toMatchObject({ verdict: 'wait', preparation: { isReady: false, starts: 1 } });
  const stopped = await back(rollBack(copying, 'Aborted', 'an operator asked'));
  expect(stopped).toMatchObject({ verdict: 'restored' });
  expectServedBy('source', stopped);
  go();
  await hosts.settle();
  expect(hosts.calls.join()).not.toMatch(/dump|restore|suspend/);
});

test('an operator who stops it before the hold has nothing dumped', async () => {
  during('prepare', 'run', () => cloud.aborts.add('night'));
  expectAborted(await step(start()), /an operator asked 'night' to stop/);
  expect(hosts.calls.join()).not.toContain('dump');
});

test('a dry run measures all of it, and leaves both as they were', async () => {
  const after = await step(start({ dryRun: true }));
  expectAborted(after, /a dry run/);
  expect(find(after, 'verify')).not.toHaveProperty('problem');
  expect(hosts.calls.slice(-5)).toEqual([
    ...['dump source 1', 'restore target 1', 'resume source 1', 'suspend target 1'],
    'discard target 1',
  ]);
});

test('the next attempt goes along with a copy of its own', async () => {
  let isFirst = true;
  hosts.instead = ({ action }) => {
    if (action !== 'restore' || !isFirst) return undefined;
    isFirst = false;
    return failure('no room');
  };
  const first = await step(start({ attempts: 2 }));
  expect(first).toMatchObject({ verdict: 'wait', switches: [{ outcome: 'abort' }] });
  const after = await step(first);
  expect(after.switches).toMatchObject([{ outcome: 'abort' }, { outcome: 'commit' }]);
  expectServedBy('target', after);
});

describe('a rollback after the commit', () => {
  const commit = async (plan: { readonly pointOfNoReturn?: string } = {}) => {
    const run = await confirm(await step(start(plan)), cloud.ports, cloud.nowMs);
    request();
    cloud.smoke.target = 502;
    return bake(run, cloud.ports, cloud.nowMs);
  };

  test('takes what the target remembers back', async () => {
    const restored = await back(await commit());
    expect(restored).toMatchObject({ verdict: 'restored', switches: [{ to: 'target' }, { to: 'source' }] });
    expect(hosts.calls.slice(-2)).toEqual(['dump target 2', 'restore source 2']);
    expect(hosts.find('target').state).toBe('stopped');
    expectServedBy('source', restored);
  });

  test.each(['dump', 'restore'] as const)('whose %s fails leaves the target at work', async (action) => {
    const run = await commit();
    hosts.instead = (order) => (order.action === action ? failure('no room') : undefined);
    const stays = await back(run);
    expect(stays.switches?.at(-1)).toMatchObject({ to: 'source', outcome: 'abort' });
    expect(hosts.calls.slice(-3)).toEqual(['resume target 2', 'suspend source 2', 'discard source 2']);
    expectServedBy('target', stays);
    hosts.instead = () => undefined;
    const restored = await back(stays);
    expect(restored).toMatchObject({ verdict: 'restored' });
    expectServedBy('source', restored);
  });

  test('that may lose writes has the stopped processes go on', async () => {
    const run = await commit({ pointOfNoReturn: 'acceptLoss' });
    const before = hosts.acknowledged.length;
    const restored = await back(run);
    expect(restored).toMatchObject({ verdict: 'restored', switches: [{ to: 'target' }, { to: 'source' }] });
    expect(hosts.calls.at(-1)).toBe('resume source 2');
    expect(hosts.calls.join()).not.toMatch(/dump target|restore source/);
    request();
    expect(hosts.unserved).toEqual([]);
    const { state, memory, from } = hosts.find('source');
    expect({ state, from }).toEqual({ state: 'running', from: undefined });
    expect(memory.at(-1)).toBe(hosts.acknowledged.at(-1));
    // What was written in between is what may be lost.
    expect(memory.filter((each) => each.startsWith('write')).length).toBeLessThan(hosts.acknowledged.length);
    expect(before).toBeGreaterThan(0);
  });

  test('that may lose writes and is aborted stops the processes again', async () => {
    const run = await commit({ pointOfNoReturn: 'acceptLoss' });
    for (const task of cloud.proxies) {
      const responses = { source: { upstreamProblem: 'no response' }, target: { status: 200 } };
      const probe = ({ to }: ProbeOrder) => Promise.resolve({ wallMs: 0, tookMs: 1, ...responses[to] });
      Object.assign(task, { probe });
    }
    const stays = await back(run);
    expect(stays.switches?.at(-1)).toMatchObject({ to: 'source', outcome: 'abort' });
    expect(hosts.calls.slice(-3)).toEqual(['resume source 2', 'resume target 2', 'discard source 2']);
    expect(hosts.find('source').state).toBe('stopped');
    expectServedBy('target', stays);
  });
});

test.each(['step', 'rollback'] as const)(
  'processes that could not go on are in the record, and the next %s has them',
  async (next) => {
    hosts.instead = ({ action }) => (['restore', 'resume'].includes(action) ? failure('no room') : undefined);
    const stuck = await step(start({ attempts: 2 }));
    expect(stuck).toMatchObject({
      verdict: 'wait',
      waitSeconds: 1,
      switches: [{ outcome: 'abort', frozen: 'source' }],
    });
    expect(cloud.switches.regime).toMatchObject({ frozen: 'source' });
    expect(stuck.switches?.[0]?.hook?.filter(({ part }) => part === 'thaw')).toHaveLength(1);
    expect(hosts.find('source').state).toBe('stopped');
    hosts.instead = () => undefined;
    hosts.unserved.length = 0;
    hosts.before = () => Promise.resolve();
    const after = next === 'step' ? await step(stuck) : await back(rollBack(stuck, 'Aborted', 'an operator asked'));
    expect(cloud.switches.regime).not.toHaveProperty('frozen');
    expect(after.switches?.at(-1)?.outcome).toBe(next === 'step' ? 'commit' : 'abort');
    expectServedBy(next === 'step' ? 'target' : 'source', after);
  },
);

describe('a step that is killed', () => {
  /** What changes something, or is asked of a host. */
  const counts =
    /^hosts\.send$|^switches\.(writeRegime|decide)$|^store\.save$|^session\.(hold|release|callBackend)$|^loadBalancer\.setForward$/;

  /** As Step Functions calls it: again with what a killed call was given, and with what the last one returned. */
  async function goOn(act: typeof switchStep, given: CutoverRun): Promise<CutoverRun> {
    let run = given;
    for (let calls = 0; calls < 10; calls += 1) {
      run = await act(run, cloud.ports, cloud.nowMs);
      if (run.verdict !== 'wait') return run;
    }
    throw new Error(`no end: ${JSON.stringify(run)}`);
  }

  async function goBack(given: CutoverRun, ports: Ports): Promise<CutoverRun> {
    const { kind, run } = await switchBack(given, ports);
    return { ...run, verdict: kind === 'back' ? 'restored' : 'wait' };
  }

  interface Scenario {
    readonly act: typeof switchStep;
    /** What the killed call is given. */
    readonly given: () => CutoverRun | Promise<CutoverRun>;
    readonly check: (after: CutoverRun) => void;
  }

  /** Kills the call at each of its calls, one after the other. @returns which side serves behind each */
  async function sweep({ act, given, check }: Scenario, isDone: boolean): Promise<Side[]> {
    const served: Side[] = [];
    for (let at = 1; ; at += 1) {
      const run = await given();
      const mortal = new MortalPorts(cloud.ports, { counts, at, isDone });
      const ended = await Promise.race([act(run, mortal.ports, cloud.nowMs), mortal.killed]);
      if (ended) return served;
      const after = await goOn(act, run);
      check(after);
      served.push(cloud.switches.regime?.side ?? 'source');
      await end();
      begin();
    }
  }

  function checkSwitch(after: CutoverRun): void {
    const side = cloud.switches.regime?.side ?? 'source';
    expect(after.verdict).toBe(side === 'target' ? 'go' : 'rollBack');
    expectServedBy(side, after);
    expect([side, hosts.find('target').from !== undefined]).toEqual([side, side === 'target']);
    if (side === 'target') expect(hosts.find('source').state).toBe('stopped');
  }

  const prepared = async () => {
    during('prepare', 'run', () => void (cloud.nowMs += 3_000));
    const run = await step(start());
    expect(run).toMatchObject({ verdict: 'wait', preparation: { isReady: true } });
    return run;
  };
  const failing = (action: string) => () => {
    hosts.instead = (order) => (order.action === action ? failure('no room') : undefined);
    return start();
  };

  describe.each([
    ['before', false],
    ['behind', true],
  ])('%s any call that changes something', (_, isDone) => {
    test('commits in the end where there is another attempt', async () => {
      const served = await sweep({ act: switchStep, given: () => start({ attempts: 2 }), check: checkSwitch }, isDone);
      expect(served.length).toBeGreaterThan(15);
      expect(new Set(served)).toEqual(new Set(['target']));
    });

    test('commits or aborts where there is none', async () => {
      const served = await sweep({ act: switchStep, given: () => start(), check: checkSwitch }, isDone);
      expect(new Set(served)).toEqual(new Set(['source', 'target']));
    });

    test('goes on with the hold where the copy was made before', async () => {
      const served = await sweep({ act: switchStep, given: prepared, check: checkSwitch }, isDone);
      expect(served.length).toBeGreaterThan(10);
    });

    test.each(['dump', 'restore'])('aborts where the %s fails', async (action) => {
      const served = await sweep({ act: switchStep, given: failing(action), check: checkSwitch }, isDone);
      expect(new Set(served)).toEqual(new Set(['source']));
    });

    test.each(['shared', 'acceptLoss'])('switches back where the point of no return is %s', async (pointOfNoReturn) => {
      const given = async () => {
        const run = await step(start({ pointOfNoReturn }));
        request();
        return rollBack(run, 'Aborted', 'an operator asked');
      };
      const check = (after: CutoverRun) => {
        expect(after.verdict).toBe('restored');
        if (pointOfNoReturn === 'shared') expectServedBy('source', after);
        expect(hosts.find('source').state).toBe('running');
        expect(hosts.find('source').from !== undefined).toBe(pointOfNoReturn === 'shared');
      };
      const served = await sweep({ act: goBack, given, check }, isDone);
      expect(new Set(served)).toEqual(new Set(['source']));
      expect(served.length).toBeGreaterThan(8);
    });
  });
});

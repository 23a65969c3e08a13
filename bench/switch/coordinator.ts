// The coordinator of one attempt, in a process of its own that can be killed and frozen: the code that Lambda runs, over real
// connections. It asks its parent before each call, which is where faults come in.
import { ADMIN_PATHS, type LedgerReport } from '../../core/proxy/admin-api';
import type { ProbeReport } from '../../core/proxy/probe';
import { AdminConnection, callAdmin } from '../../lambda/adapters/proxies/admin-client';
import { switchStorePort } from '../../lambda/adapters/store/switch-store';
import type { SwitchPorts, SwitchStorePort, SwitchTask, TaskSession } from '../../lambda/contract/switch-ports';
import { switchOver } from '../../lambda/switch/switch-over';
import { showSwitch, type SwitchShown } from '../../lambda/switch/switch-preflight';
import type { SwitchHook } from '../../lambda/switch/switch-hook';
import type { BackendCallReport } from '../../core/proxy/backend-call';
import {
  ADMIN_PORT,
  ADMIN_SECRET,
  BUCKET,
  type Responses,
  type CoordinatorOrder,
  type ListedTask,
  type Prompt,
} from './messages';
import type { Part } from './parts';

const { to, execution, plan, hook, isPreflight, isPlain } = JSON.parse(process.argv[2] ?? '{}') as CoordinatorOrder;
const waiting = new Map<number, (value: unknown) => void>();
let asked = 0;

process.on('message', ({ id, value }: { id: number; value: unknown }) => {
  waiting.get(id)?.(value);
  waiting.delete(id);
});
process.on('disconnect', () => process.exit(0));

function ask<Kind extends keyof Responses>(prompt: Extract<Prompt, { kind: Kind }>): Promise<Responses[Kind]> {
  const id = (asked += 1);
  return new Promise((resolve) => {
    waiting.set(id, resolve as (value: unknown) => void);
    process.send?.({ id, prompt });
  });
}

/** Makes a call, whose response the parent may lose. */
async function at<T>(part: Part, call: () => Promise<T>, task?: string): Promise<T> {
  if (isPlain) return call();
  const response = await ask<'at'>({ kind: 'at', part, ...(task !== undefined && { task }) });
  const value = await call();
  if (response === 'lose') throw new Error('the response was lost');
  return value;
}

function openStore(): SwitchStorePort {
  const store = switchStorePort(BUCKET);
  return {
    ...store,
    writeRegime: (regime, etag) => {
      const part = !regime.switching ? 'settle' : regime.switching.members ? 'enlist' : 'claim';
      return at(part, () => store.writeRegime(regime, etag));
    },
    decide: async (epoch, decision) => {
      const present = await at('decide', () => store.decide(epoch, decision));
      return at('decided', () => Promise.resolve(present));
    },
  };
}

let hasHeld = false;

function openTask({ id, home, host, stoppedAtMs }: ListedTask): SwitchTask {
  const named = { id, home, address: id };
  if (host === undefined) return { ...named, ...(stoppedAtMs !== undefined && { stoppedAtMs }) };
  const connection = new AdminConnection();
  const call = async <T = LedgerReport>(method: 'GET' | 'POST', path: string, body?: unknown) =>
    (await callAdmin({
      ...{ address: host, port: ADMIN_PORT, method, path, body },
      ...{ keys: [ADMIN_SECRET], timeoutMs: 1_500, connection },
    })) as T;
  const report = () => call('GET', ADMIN_PATHS.drainStatus);
  const session: TaskSession = {
    report: () => (hasHeld ? at('drain', report, id) : report()),
    hold: (order) => {
      hasHeld = true;
      return at('hold', () => call('POST', ADMIN_PATHS.hold, order), id);
    },
    release: (order) => at('release', () => call('POST', ADMIN_PATHS.release, order), id),
    retarget: (order) => call('POST', ADMIN_PATHS.retarget, order),
    probe: (order) => call<ProbeReport>('POST', ADMIN_PATHS.probe, order),
    transferState: () => Promise.reject(new Error('not called')),
    callBackend: async (order) =>
      (await callAdmin({
        ...{ address: host, port: ADMIN_PORT, method: 'POST', path: ADMIN_PATHS.backendCall, body: order },
        ...{ keys: [ADMIN_SECRET], timeoutMs: order.timeoutMs + 500 },
      })) as BackendCallReport,
    close: () => connection.close(),
  };
  return { ...named, session };
}

const ports: SwitchPorts = {
  store: openStore(),
  listTasks: async () => (await ask<'tasks'>({ kind: 'tasks' })).map(openTask),
  traffic: {
    targets: (sides) => ask<'targets'>({ kind: 'targets', sides }),
    weights: () => ask<'weights'>({ kind: 'weights' }),
  },
  now: () => Date.now(),
  pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};

const HOOKS: Readonly<Record<NonNullable<CoordinatorOrder['hook']>, () => Promise<void>>> = {
  'hook-fails': () => Promise.reject(new Error('the hook failed')),
  'hook-hangs': () => new Promise(() => undefined),
};

function openHook(): { readonly hook?: SwitchHook } {
  if (!hook) return {};
  const run = () => at('hook', HOOKS[hook]);
  return { hook: { fences: true, thawMs: 1_000, run, thaw: () => Promise.resolve(undefined) } };
}

const PROBE = { path: '/', expectedStatus: 200 };

async function preflight(): Promise<SwitchShown> {
  const { findings, shown } = await showSwitch(await ports.listTasks(), { plan, probe: PROBE }, ports);
  if (!shown)
    throw new Error(`every task must be ready to switch, got ${findings.map(({ message }) => message).join('; ')}`);
  return shown;
}

async function main(): Promise<void> {
  const findStop = () => ask<'stop'>({ kind: 'stop' });
  try {
    if (isPreflight) {
      const shown = await preflight();
      process.send?.({ ended: { shown } }, () => process.exit(0));
      return;
    }
    const record = await switchOver(
      { to, execution, plan, findStop, probe: PROBE, probesEachTask: true, ...openHook() },
      ports,
    );
    if (record?.outcome === 'commit') await at('weights', () => Promise.resolve());
    process.send?.({ ended: { record } }, () => process.exit(0));
  } catch (error) {
    process.send?.({ ended: { problem: String(error) } }, () => process.exit(1));
  }
}

void main();

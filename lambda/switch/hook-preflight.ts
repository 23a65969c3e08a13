import { STATE_PARTS, statePath } from '../../core/state/http-contract';
import { CheckpointPlan, ValkeyPlan, findStateHook } from '../../core/plan/state-plan';
import { findReplayHook } from '../../core/plan/replay-plan';
import type { SwitchPlan } from '../../core/plan/switch-plan';
import { HookPlan, hasPart } from '../../core/plan/hook-plan';
import { findDirection } from '../../core/plan/direction';
import type { CutoverRun } from '../../core/cutover/run';
import { firstLines } from '../../core/cutover/state-size';
import { HookCall, readHookResponse } from '../../core/switch/hook';
import { SIDES, Side } from '../../core/traffic/weights';
import type { Ports } from '../contract/ports';
import { settle, settleWithin } from '../contract/settle';
import type { TaskSession } from '../contract/switch-ports';
import { callHost } from '../state/hosts';
import { findObstacles, openServers } from '../state/replicas';
import { findOwnKey, findPattern, openStores } from '../state/stores';
import type { Finding } from './switch-preflight';
import { thawLeft } from './switch-thaw';

/** A function may have to start first, which it need not in the switch that follows. */
const CHECK_MS = 8_000;
const CALL_MS = 3_000;

/** A side that a hook of an earlier switch has left frozen is thawed before anything else. */
export async function thawFindings(run: CutoverRun, ports: Ports): Promise<Finding[]> {
  const thawed = await settle(async () => thawLeft(await ports.switches.readRegime(), run, ports));
  // A regime that cannot be read is a finding of its own.
  if ('problem' in thawed || thawed.value === undefined) return [];
  return [{ code: 'SwitchAborted', message: thawed.value }];
}

/**
 * Whether the hook of a plan can be called, before anybody is held: a function responds to the part `check`; over HTTP each
 * path responds to OPTIONS at both backends. The side that is left accepts the probe write, which it must reject once it is frozen: a path
 * that is always rejected would show nothing.
 *
 * @param mayWrite whether the probe write is made
 */
export async function hookFindings({ plan, execution }: CutoverRun, ports: Ports, mayWrite = true): Promise<Finding[]> {
  const { state } = plan.switch ?? {};
  const hook = findCalledHook(plan.switch);
  if (!hook) return [];
  const paths = listCalledPaths(plan.switch);
  const way = findDirection(plan);
  const [ofStores, ofHosts, ofFunction, ofBackends] = await Promise.all([
    state?.valkey ? checkStores(state.valkey, way, ports) : [],
    state?.checkpoint ? checkHosts(state.checkpoint, ports) : [],
    checkFunction(hook, { execution, ...way }, ports),
    checkBackends(hook, paths, mayWrite ? way.from : undefined, ports),
  ]);
  return firstLines([...ofStores, ...ofHosts, ...ofFunction, ...ofBackends]).map((message) => ({
    code: 'SwitchAborted',
    message,
  }));
}

function findCalledHook(plan: SwitchPlan | undefined): HookPlan | undefined {
  const { state, hook, replay } = plan ?? {};
  if (state) return findStateHook(state);
  return hook ?? (replay && findReplayHook(replay));
}

/** Beside those of the hook itself. */
function listCalledPaths(plan: SwitchPlan | undefined): string[] {
  const { state, replay } = plan ?? {};
  const parts = STATE_PARTS.flatMap((part) => (state?.http ? statePath(state.http.path, part) : []));
  return [...parts, ...[state?.checkpoint?.verifyPath, replay?.verifyPath].flatMap((path) => path ?? [])];
}

/** Both respond, and the one that is copied to has no keys of its own. Nothing is written. */
async function checkStores(plan: ValkeyPlan, way: { readonly from: Side; readonly to: Side }, { stores }: Ports) {
  const checked = await settleWithin(CHECK_MS, 'looking at both stores', async () => {
    if (plan.method === 'replicate') {
      const servers = await openServers(plan, way, stores, CALL_MS);
      const found = await findObstacles(servers, way, false).finally(() => servers.close());
      return found.length > 0 ? found.join('; ') : undefined;
    }
    const opened = await openStores(plan, way, stores, CALL_MS);
    try {
      return await findOwnKey(opened.to, way.to, findPattern(plan));
    } finally {
      opened.close();
    }
  });
  const problem = 'problem' in checked ? checked.problem : checked.value;
  return problem === undefined ? [] : [problem];
}

/** Each can dump and restore, and runs an application. */
async function checkHosts(plan: CheckpointPlan, ports: Ports): Promise<string[]> {
  const stored = await settle(() => ports.switches.readRegime());
  // A store that cannot be read is a finding of its own.
  const epoch = 'value' in stored ? stored.value.regime.epoch + 1 : 0;
  const checks = SIDES.map(async (side) => {
    const checked = await callHost(plan, { side, action: 'check', copy: 'none', epoch }, CHECK_MS, ports);
    return 'problem' in checked ? [`the host of the ${side}: ${checked.problem}`] : [];
  });
  return (await Promise.all(checks)).flat();
}

async function checkFunction(
  { functionArn }: HookPlan,
  way: Pick<HookCall, 'execution' | 'from' | 'to'>,
  { functions }: Ports,
): Promise<string[]> {
  if (functionArn === undefined) return [];
  const call: HookCall = { part: 'check', side: way.from, epoch: 0, ...way };
  const responded = await settle(() => functions.invoke(functionArn, call, CHECK_MS));
  if ('problem' in responded) return [`the function of 'switch.hook' must be callable, got ${responded.problem}`];
  const read = readHookResponse(call, responded.value);
  return 'problem' in read ? [`the function of 'switch.hook': ${read.problem}`] : [];
}

/** Their `X-Drainshift-Epoch` is 0 in a store without a switch, and after one the last that was committed. */
async function checkBackends(
  hook: HookPlan,
  more: readonly string[],
  from: Side | undefined,
  ports: Ports,
): Promise<string[]> {
  if (!hook.http && !hook.probeWrite && more.length === 0) return [];
  const stored = await settle(() => ports.switches.readRegime());
  const epoch = 'value' in stored ? stored.value.regime.committed : 0;
  const opened = await settle(() => ports.proxies.open());
  if ('problem' in opened) return [opened.problem];
  const sessions = opened.value.flatMap(({ session }) => session ?? []);
  const [task] = sessions;
  try {
    if (!task) return [`'switch.hook' must be called through a proxy task, got none`];
    const calls = [...listOptions(hook, more), ...(from ? listWrites(hook, from) : [])].map((each) =>
      tryCall(each, task, { host: ports.smoke.host, epoch }),
    );
    return (await Promise.all(calls)).flat();
  } finally {
    for (const session of sessions) session.close();
  }
}

interface TriedCall {
  readonly to: Side;
  readonly method: 'OPTIONS' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly rule: string;
}

/** A switch back calls the other side. */
function listOptions({ http }: HookPlan, more: readonly string[]): TriedCall[] {
  const paths = [...new Set([...Object.values(http ?? {}).flatMap((path) => path ?? []), ...more])];
  const rule = 'a path of the hook';
  return paths.flatMap((path) => SIDES.map((to) => ({ to, method: 'OPTIONS' as const, path, rule })));
}

function listWrites(hook: HookPlan, to: Side): TriedCall[] {
  const { probeWrite } = hook;
  if (!probeWrite || !hasPart(hook, 'freeze')) return [];
  return [{ to, ...probeWrite, rule: 'the probe write, while it is not frozen' }];
}

async function tryCall(
  { to, method, path, rule }: TriedCall,
  task: TaskSession,
  common: { readonly host: string; readonly epoch: number },
): Promise<string[]> {
  const call = { to, method, path, ...common, timeoutMs: CALL_MS };
  const tried = await settleWithin(CALL_MS + 1_000, `${method} ${path}`, () => task.callBackend(call));
  if ('problem' in tried) return [tried.problem];
  const { status, upstreamProblem } = tried.value;
  if (status !== undefined && status < 400) return [];
  return [
    `the ${to} must respond with less than 400 to ${method} ${path}, ${rule}, got ${status ?? upstreamProblem ?? 'no response'}`,
  ];
}

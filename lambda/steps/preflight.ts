import { CaptureGap, findCaptureGaps, findUnreplayable } from '../../core/capture/capture-gate';
import { checkAlarms } from '../../core/judge/alarm-check';
import { pendingGate } from '../../core/approval/approval';
import type { HookPoint } from '../../core/cutover/hook-records';
import { callHooksFirst } from '../../core/cutover/hooks';
import { waitForWindow } from '../../core/cutover/window';
import { CutoverRun, note } from '../../core/cutover/run';
import { CutoverError } from '../../core/errors/errors';
import { orderWindow } from '../../core/judge/comparison';
import { describeShortfalls, measureTraffic } from '../../core/judge/forecast';
import { Sessions, addSessions } from '../../core/judge/sessions';
import type { TaskReading } from '../../core/judge/tally';
import type { WindowOrder } from '../../core/proxy/window';
import { findDirection } from '../../core/plan/direction';
import { findWeights } from '../../core/traffic/forward';
import { otherRules } from '../../core/traffic/listener-rules';
import { firstLines } from '../../core/cutover/state-size';
import { formatWeights, sameQuotas, Side, SIDES, Weights } from '../../core/traffic/weights';
import type { Ports } from '../contract/ports';
import { settle } from '../contract/settle';
import { findMoveWarnings } from '../shared/moves-preflight';
import { findGateReplay } from '../../core/plan/replay-plan';
import { findSwitchReplays, lookAtReplays } from '../shared/replay-gate';
import { readSide } from '../shared/sides';
import { hookFindings, thawFindings } from '../switch/hook-preflight';
import { Finding, SwitchLook, regimeFindings, lookAtSwitch } from '../switch/switch-preflight';
import { endLeftSwitch } from '../switch/left-switch';
import { phaseHookFindings } from '../hooks/phase-hook-preflight';
import { createLookingHandler } from '../shared/looks';

/** The state of a cutover holds what each task reported last: with more of them it would outgrow Step Functions' 256 KiB. */
const MAX_TASKS = 2_000;

const BEFORE: readonly HookPoint[] = [{ when: 'beforePreflight', attempt: 1 }];
/** It looks at everything again behind them: they may take long, or change something. */
const AFTER: readonly HookPoint[] = [
  { when: 'afterPreflight', attempt: 1 },
  { when: 'beforeShift', stage: 1, attempt: 1 },
];

/** Looks at everything that must be so before traffic moves, and reports all that is not. */
export async function preflight(given: CutoverRun, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const { loadBalancer, store } = ports;
  if (await store.abortRequested(given.execution))
    throw new CutoverError('Aborted', `an operator asked '${given.execution}' to stop`);
  // Everything was checked when the wait began, and is again when it ends.
  const early = waitEarly(given, nowMs);
  if (early) return early;
  const { readings, own, forward, weights } = await readRule(ports);
  const run = await endLeftSwitch(given, ports);
  const { findings, past, shown, healthyTargets, warnings } = await findFindings(run, weights, ports, 'mayChange');
  const [first] = findings;
  if (first) throw new CutoverError(first.code, findings.map(({ message }) => message).join('\n'));

  // It looks again behind that, which may take hours: only the last look says that something may move.
  const seen = { weights, ...past, ...(warnings.length > 0 && { warnings }) };
  const late = waitLate(run, nowMs);
  if (late) return note(late, nowMs, 'Preflight', seen);
  const initial = {
    stickiness: forward.stickiness,
    others: otherRules(readings, loadBalancer.ruleArn),
    ownDigest: own.matchDigest,
    ...(healthyTargets !== undefined && { healthyTargets }),
  };
  const verdict = run.plan.strategy === 'drainThenShift' ? 'switch' : 'go';
  const ready = note({ ...run, initial, verdict }, nowMs, 'Preflight', { ...seen, ...(shown && { switch: shown }) });
  await store.save(ready);
  return ready;
}

/** Where all is well: for a person, a window, or the hooks behind this step. */
function waitLate(run: CutoverRun, nowMs: number): CutoverRun | undefined {
  if (pendingGate(run.plan, run.approved ?? [], 0)) return { ...run, verdict: 'approve' };
  const closed = waitForWindow(run, nowMs);
  if (closed) return closed;
  const hooked = callHooksFirst(run, AFTER, 'approved');
  return hooked === run ? undefined : hooked;
}

/** For the window that was waited for before, or for the hooks before this step. */
function waitEarly(given: CutoverRun, nowMs: number): CutoverRun | undefined {
  const waiting = given.window && waitForWindow(given, nowMs);
  if (waiting) return waiting;
  const hooked = callHooksFirst(given, BEFORE, 'approved');
  return hooked === given ? undefined : hooked;
}

/** Whether it may do what it has to show: end a switch that was left, thaw a side, tell the proxies, hold for a moment, write. */
export type Means = 'mayChange' | 'changesNothing';

/** Everything that speaks against a cutover. */
export async function findFindings(
  run: CutoverRun,
  weights: Weights,
  ports: Ports,
  means: Means,
): Promise<
  Pick<SwitchLook, 'shown'> & {
    readonly findings: readonly Finding[];
    /** What rejects nothing. */
    readonly warnings: readonly string[];
    readonly past: Past;
    /** Of the side that is left. */
    readonly healthyTargets: number | undefined;
  }
> {
  const mayChange = means === 'mayChange';
  const ofWeights = weightFindings(run, weights);
  const ofThaw = mayChange ? await thawFindings(run, ports) : [];
  // First: until the proxies of a side forward to its own backend, no smoke request says anything of it.
  const ofRegime = await findInRegime(run, ofWeights.length === 0, ports, mayChange);
  const [ofSwitch, tasks, trust, sides, ...others] = await Promise.all([
    lookAtSwitch(run, ports, mayChange),
    taskFindings(run, ports, mayChange),
    trustFindings(ports),
    sideFindings(run, ports),
    alarmFindings(run, ports),
    hookFindings(run, ports, mayChange),
    phaseHookFindings(run, ports),
  ]);
  const findings = [
    ...ofWeights,
    ...ofThaw,
    ...ofRegime,
    ...tasks.findings,
    ...trust,
    ...sides.findings,
    ...others.flat(),
    ...ofSwitch.findings,
  ];
  const { healthyTargets } = sides;
  return {
    findings,
    warnings: tasks.warnings,
    past: tasks.past,
    healthyTargets,
    ...(ofSwitch.shown && { shown: ofSwitch.shown }),
  };
}

/** A switch that was left is ended by the cutover, where its plan switches. */
async function findInRegime(
  run: CutoverRun,
  areWeightsAsPlanned: boolean,
  ports: Ports,
  mayChange: boolean,
): Promise<Finding[]> {
  const findings = await regimeFindings(run, mayChange && areWeightsAsPlanned, ports);
  return mayChange || !run.plan.switch ? findings : findings.filter(({ code }) => code !== 'SwitchAborted');
}

/** The weighted rule among all. @throws CutoverError `RuleNotWeighted` */
export async function readRule({ loadBalancer }: Pick<Ports, 'loadBalancer'>) {
  const readings = await loadBalancer.rules();
  const own = readings.find(({ arn }) => arn === loadBalancer.ruleArn);
  const forward = own?.forward;
  const weights = forward && findWeights(forward, loadBalancer.groupArns);
  if (own && forward && weights) return { readings, own, forward, weights };
  const rule = `'${loadBalancer.ruleArn}' must forward to the two target groups and to no other`;
  throw new CutoverError('RuleNotWeighted', rule);
}

function weightFindings(run: CutoverRun, weights: CutoverRun['plan']['initialWeights']): Finding[] {
  if (sameQuotas(weights, run.plan.initialWeights)) return [];
  const expected = formatWeights(run.plan.initialWeights);
  return [
    { code: 'WeightsUnexpected', message: `the weights in force must be ${expected}, got ${formatWeights(weights)}` },
  ];
}

/** An alarm about the target may be why a cutover leaves it. */
async function alarmFindings(run: CutoverRun, { alarms }: Ports): Promise<Finding[]> {
  const readings = await alarms.read(run.alarms);
  const sides = run.plan.from === 'target' ? [findDirection(run.plan).to] : SIDES;
  return sides.flatMap((side) => checkAlarms(run.alarms, readings, side) ?? []);
}

/** Later polls do without what cannot be read: it must have been there once. */
async function trustFindings({ smoke }: Ports): Promise<Finding[]> {
  const trust = await settle(() => smoke.checkTrust());
  return 'problem' in trust ? [{ code: 'SmokeFailed', message: trust.problem }] : [];
}

/** The target may be what failed, and why a switch leaves it: after the commit it has no weight, and nothing is asked of it. */
async function sideFindings(
  { plan }: CutoverRun,
  ports: Ports,
): Promise<{ readonly findings: Finding[]; readonly healthyTargets: number | undefined }> {
  const { from, to } = findDirection(plan);
  const sides = plan.from === 'target' && plan.switch ? [to] : SIDES;
  const seen = await Promise.all(
    sides.map(async (side) => ({
      side,
      ...(await readSide(side, plan, ports, plan.minimumHealthyTargets, 'every')),
    })),
  );
  const findings = seen.flatMap(({ state }): Finding[] => {
    if (state.serves === true) return [];
    const code = state.serves === 'unknown' ? 'AwsUnavailable' : state.code;
    return [{ code, message: state.reason }];
  });
  return { findings, healthyTargets: seen.find(({ side }) => side === from)?.healthyTargets };
}

/** How many requests came back in the last minutes. */
interface Past {
  readonly sessions?: Sessions;
  readonly sessionsSeconds?: number;
}

/** What is wrong with the tasks; and how many requests came back to which side in the last minutes, where the proxies say it. */
async function taskFindings(
  run: CutoverRun,
  ports: Ports,
  mayChange: boolean,
): Promise<{ readonly findings: Finding[]; readonly warnings: readonly string[]; readonly past: Past }> {
  const { execution, plan } = run;
  const { proxies, now } = ports;
  const { routes, ...window } = orderWindow(undefined, execution, plan, now());
  // A proxy counts by the routes of the last order that has some: those of another cutover, perhaps.
  const order = mayChange ? { ...window, routes } : window;
  const counted = await Promise.all(
    SIDES.map(async (side) => ({ side, ...(await findInTasks(side, proxies, order)) })),
  );
  const measured = measureTraffic(
    counted.flatMap(({ readings }) => readings),
    order,
  );
  const sessions = counted.reduce<Sessions | undefined>(
    (sum, { side, readings }) => addSessions(sum, { [side]: readings }),
    undefined,
  );
  const left = counted.find(({ side }) => side === findDirection(plan).from)?.readings ?? [];
  const ofMoves = await findMoveWarnings(run, left, ports);
  const { from } = findDirection(plan);
  const gaps = plan.capture
    ? findCaptureGaps(
        plan.capture,
        from,
        left.filter(({ life }) => life === 'running'),
      )
    : [];
  const unrecorded = plan.switch?.replay ? findUnrecorded(counted) : [];
  const store = left.find(({ report }) => report?.capture?.store !== undefined)?.report?.capture?.store;
  const behind = await lookAtReplays([...findGateReplay(plan), ...findSwitchReplays(plan)], ports, store);
  const count = counted.reduce((sum, each) => sum + each.count, 0);
  const tooMany: Finding = {
    code: 'TooManyTasks',
    message: `both sides together must have at most ${MAX_TASKS} proxy tasks, got ${count}`,
  };
  return {
    findings: [
      ...counted.flatMap(({ findings }) => findings),
      ...(count > MAX_TASKS ? [tooMany] : []),
      ...[...gaps, ...unrecorded].map(({ message }): Finding => ({ code: 'CaptureIncomplete', message })),
      ...behind.map(({ message }): Finding => ({ code: 'ReplayIncomplete', message })),
    ],
    warnings: [...(measured ? firstLines(describeShortfalls(plan, measured)) : []), ...ofMoves],
    past: sessions ? { sessions, sessionsSeconds: order.until - order.after } : {},
  };
}

/** Behind a switch the proxies of both sides forward to one: a replay of what it serves needs the records of all. */
function findUnrecorded(
  sides: readonly { readonly side: Side; readonly readings: readonly TaskReading[] }[],
): CaptureGap[] {
  const staying = sides.map(({ side, readings }) => ({
    side,
    readings: readings.filter(({ life }) => life === 'running'),
  }));
  const captures = staying.flatMap(({ readings }) => readings.flatMap(({ report }) => report?.capture ?? []));
  const unreplayable = findUnreplayable(captures);
  return [
    ...staying.flatMap(({ side, readings }) =>
      findCaptureGaps({ maxUnrecorded: 0, maxPendingSeconds: 60 }, side, readings),
    ),
    ...(unreplayable === undefined ? [] : [{ message: unreplayable, isLasting: true }]),
  ];
}

async function findInTasks(
  side: Side,
  proxies: Ports['proxies'],
  order: WindowOrder,
): Promise<{ readonly count: number; readonly readings: readonly TaskReading[]; readonly findings: Finding[] }> {
  const read = await settle(() => proxies.tasks(side, order));
  if ('problem' in read) {
    return { count: 0, readings: [], findings: [{ code: 'AwsUnavailable', message: read.problem }] };
  }
  const readings = read.value;
  const staying = read.value.filter(({ life }) => life === 'running');
  const count = staying.length;
  if (count === 0) {
    return {
      count,
      readings,
      findings: [{ code: 'NoTasks', message: `the ${side} must have at least 1 running proxy task, got 0` }],
    };
  }
  const silent = staying.filter(({ report }) => !report).map(({ problem }) => problem ?? 'no response');
  const draining = staying.filter(({ report }) => report && report.state !== 'serving').map(({ address }) => address);
  const findings: Finding[] = firstLines(silent).map((message) => ({ code: 'AdminUnreachable', message }));
  if (draining.length > 0) {
    const message = `every proxy of the ${side} must be serving, got draining ${firstLines(draining).join(', ')}`;
    findings.push({ code: 'ProxyDraining', message });
  }
  return { count, readings, findings };
}

export const handler = createLookingHandler(preflight);

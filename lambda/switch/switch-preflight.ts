import type { CutoverRun } from '../../core/cutover/run';
import { findDirection } from '../../core/plan/direction';
import type { ErrorCode } from '../../core/errors/errors';
import { firstLines } from '../../core/cutover/state-size';
import type { SwitchPlan } from '../../core/plan/switch-plan';
import type { ProbeReport } from '../../core/proxy/probe';
import { SIDES, Side } from '../../core/traffic/weights';
import type { LedgerReport } from '../../core/proxy/admin-api';
import { CALLS_AT_ONCE, pooled } from '../contract/concurrently';
import type { Ports } from '../contract/ports';
import { Settled, settle, settleWithin } from '../contract/settle';
import { timeLeftMs } from '../contract/time-left';
import { findDeployments } from '../shared/scaling';
import { SwitchProbe, findProbe, findProbeProblems } from './switch-probe';
import type { StoredRegime, SwitchTask, TaskSession } from '../contract/switch-ports';

export interface Finding {
  readonly code: ErrorCode;
  readonly message: string;
}

const PROBE_MS = 5_000;
const CALL_MS = 3_000;
/** The hold that shows that one works: a release ends it long before. */
const CANARY = {
  leaseMs: 100,
  maxWaiting: 1_000,
  maxWaitMs: 1_000,
  maxHoldMs: 1_000,
  minIntervalMs: 0,
  committed: 0,
} as const;
/**
 * Tasks show one after the other that they hold. Of many more than so many a few do at a time: a thousand would take longer
 * than the step.
 */
const CANARY_ROUNDS = 50;
/** What is wrong with so many tasks is wrong enough. */
const MAX_FAILED_CANARIES = 5;
/** For the rest of the step. */
const AFTER_CANARIES_MS = 5_000;
/** Clocks that differ by more sign calls that tasks reject; see `ADMIN_WINDOW_SECONDS`. */
const MAX_SKEW_MS = 4_000;

/**
 * What must be so before weights or a switch may decide who serves: no other switch is under way, the side that is left serves,
 * and the proxies of each side forward to its own backend, so that smoke requests reach it. After a switch all forward to one
 * side: then they are told, and the regime says so.
 *
 * @param areWeightsAsPlanned without it nothing is told: proxies that forward to one side make other weights harmless
 */
export async function regimeFindings(
  { plan }: Pick<CutoverRun, 'plan'>,
  areWeightsAsPlanned: boolean,
  ports: Ports,
): Promise<Finding[]> {
  const { from } = findDirection(plan);
  const read = await settle(() => ports.switches.readRegime());
  if ('problem' in read) return [{ code: 'AwsUnavailable', message: `the regime must be readable: ${read.problem}` }];
  const { regime } = read.value;
  const rule = `the proxies must forward to the ${from} before a cutover, with no switch under way`;
  if (regime.switching) {
    const { execution } = regime.switching;
    return [{ code: 'SwitchAborted', message: `${rule}, got the switch of epoch ${regime.epoch} of '${execution}'` }];
  }
  if (regime.isJoined && regime.side !== from) {
    return [{ code: 'WeightsUnexpected', message: `${rule}, got the ${regime.side} since epoch ${regime.epoch}` }];
  }
  if (!areWeightsAsPlanned) return [];
  // Apart, the weights decide who serves: of a switch, the side that it leaves must be the one.
  const isOther = regime.isJoined || (plan.switch !== undefined && regime.side !== from);
  const findings = isOther ? await separate(read.value, from, ports) : [];
  // Also where an earlier preflight has written it: a task may not have been told then.
  return findings.length > 0 || regime.epoch === 0 ? findings : turnHome(ports);
}

async function separate({ regime, etag }: StoredRegime, side: Side, ports: Ports): Promise<Finding[]> {
  const written = await settle(() => ports.switches.writeRegime({ ...regime, side, isJoined: false }, etag));
  if ('value' in written && written.value) return [];
  return [{ code: 'AwsUnavailable', message: 'the regime must be writable, got another write or no response' }];
}

/** Each task forwards to its own backend again. */
async function turnHome(ports: Ports): Promise<Finding[]> {
  const opened = await settle(() => ports.proxies.open());
  if ('problem' in opened) return [{ code: 'AwsUnavailable', message: opened.problem }];
  const problems = await pooled(opened.value, CALLS_AT_ONCE, async ({ id, home, session }) => {
    if (!session) return [];
    const turned = await settleWithin(CALL_MS, `turning the task ${id} to the ${home}`, async () => {
      const { upstream, hold } = await session.report();
      if (upstream !== home) await session.retarget({ to: home, epoch: hold.epoch });
    });
    session.close();
    return 'problem' in turned ? [turned.problem] : [];
  });
  return firstLines(problems.flat()).map((message) => ({ code: 'AdminUnreachable', message }));
}

/** What the tasks have shown, for the timeline. */
export interface SwitchShown {
  readonly tasks: number;
  /** By how much their clocks differ from Lambda's, at the most. */
  readonly maxSkewMs: number;
  /** The longest request that was live at one of them in the last minute. */
  readonly longestRequestMs: number;
}

export interface SwitchLook {
  readonly findings: readonly Finding[];
  /** Absent where the plan does not switch, or not every task has shown it. */
  readonly shown?: SwitchShown;
}

/**
 * What a plan that switches needs beside: shown at every task, before anybody is held.
 *
 * @param mayHold whether each task holds for a moment, to show that it can
 */
export async function lookAtSwitch(run: CutoverRun, ports: Ports, mayHold = true): Promise<SwitchLook> {
  const { plan } = run;
  if (!plan.switch) return { findings: [] };
  const deployments = await findDeployments(ports);
  if (deployments.length > 0) {
    return { findings: deployments.map((message) => ({ code: 'SwitchAborted', message })) };
  }
  const opened = await settle(() => ports.proxies.open());
  if ('problem' in opened) return { findings: [{ code: 'AwsUnavailable', message: opened.problem }] };
  return showSwitch(opened.value, { plan: plan.switch, probe: findProbe(run, ports), mayHold }, ports);
}

interface Shown {
  readonly plan: SwitchPlan;
  readonly probe: SwitchProbe;
  readonly mayHold?: boolean;
}

/** Every task reaches both backends, and holds for a moment. @param listed sessions are closed at the end */
export async function showSwitch(
  listed: readonly SwitchTask[],
  { plan, probe, mayHold = true }: Shown,
  clock: Pick<Ports, 'now'>,
): Promise<SwitchLook> {
  const tasks = listed.filter(({ session }) => session);
  try {
    const { findings, maxSkewMs } = await probeAll(tasks, probe, clock);
    if (findings.length > 0) return { findings: limit(findings) };
    const { found, longestRequestMs } = await tryHolds(tasks, plan, mayHold ? holdOnce : (session) => session.report());
    if (found.length > 0) return { findings: limit(found) };
    return { findings: [], shown: { tasks: tasks.length, maxSkewMs, longestRequestMs } };
  } finally {
    for (const { session } of tasks) session?.close();
  }
}

/** Each task asks both backends: it may go to either, by the decision of a switch, or of the one back. */
async function probeAll(
  tasks: readonly SwitchTask[],
  probe: SwitchProbe,
  { now }: Pick<Ports, 'now'>,
): Promise<{ readonly findings: readonly Finding[]; readonly maxSkewMs: number }> {
  const { path, host } = probe;
  const asked = tasks.flatMap((task) => SIDES.map((to) => ({ task, to })));
  const probed = await pooled(asked, CALLS_AT_ONCE, async ({ task: { id, home, session }, to }) => {
    const name = `task ${id} of the ${home}`;
    const order = { to, path, ...(host !== undefined && { host }) };
    const done = await settleWithin(PROBE_MS, 'probing a task', () => session!.probe(order));
    const skewMs = 'value' in done ? findSkew(done.value, now()) : 0;
    return { findings: [...probeFindings({ name, to }, done, probe), ...skewFindings(name, skewMs)], skewMs };
  });
  // The store and the clock of a task are seen twice.
  const findings = new Map(probed.flatMap((each) => each.findings).map((finding) => [finding.message, finding]));
  return { findings: [...findings.values()], maxSkewMs: Math.max(0, ...probed.map(({ skewMs }) => skewMs)) };
}

/** At least: how long the call was on its way is unknown. */
function findSkew({ wallMs, tookMs }: ProbeReport, nowMs: number): number {
  return Math.max(0, Math.round(Math.abs(nowMs - wallMs) - tookMs));
}

function skewFindings(name: string, skewMs: number): Finding[] {
  if (skewMs <= MAX_SKEW_MS) return [];
  const rule = `the clock of ${name} must be within ${MAX_SKEW_MS} ms of that of Lambda`;
  return [{ code: 'AdminUnreachable', message: `${rule}, got ${skewMs} ms` }];
}

function probeFindings(
  { name, to }: { readonly name: string; readonly to: Side },
  probed: Settled<ProbeReport>,
  probe: SwitchProbe,
): Finding[] {
  const { task, store, backend } = findProbeProblems(probed, probe);
  const found: Finding[] = [];
  if (task !== undefined) found.push({ code: 'AdminUnreachable', message: `${name}: ${task}` });
  if (store !== undefined) {
    found.push({ code: 'AwsUnavailable', message: `${name} must reach the store of the switch, got ${store}` });
  }
  if (backend !== undefined) {
    found.push({ code: 'SmokeFailed', message: `${name} must reach the ${to}'s backend, got ${backend}` });
  }
  return found;
}

/** Few at a time, so that few make requests wait, and those for a moment. Those of both sides: all are held in a switch. */
async function tryHolds(
  tasks: readonly SwitchTask[],
  { maxPauseMs }: SwitchPlan,
  show: (session: TaskSession) => Promise<LedgerReport>,
): Promise<{ readonly found: readonly Finding[]; readonly longestRequestMs: number }> {
  const found: Finding[] = [];
  let longestRequestMs = 0;
  let tried = 0;
  await pooled(tasks, Math.ceil(tasks.length / CANARY_ROUNDS), async (task) => {
    if (found.length >= MAX_FAILED_CANARIES || timeLeftMs() < AFTER_CANARIES_MS) return;
    tried += 1;
    const name = `task ${task.id} of the ${task.home}`;
    const held = await settleWithin(CALL_MS, 'holding for a moment', () => show(task.session!));
    if ('problem' in held) {
      found.push({ code: 'AdminUnreachable', message: `${name} must hold and release: ${held.problem}` });
      return;
    }
    const ofTask = held.value.longestRequestMs;
    longestRequestMs = Math.max(longestRequestMs, ofTask);
    if (ofTask <= maxPauseMs) return;
    const rule = `requests at ${name} must end within 'switch.maxPauseMs' (${maxPauseMs} ms)`;
    found.push({ code: 'SwitchAborted', message: `${rule}, got one for ${ofTask} ms in the last minute` });
  });
  if (found.length === 0 && tried < tasks.length) {
    const rule = `every task must hold and release within the time of the step`;
    found.push({ code: 'AdminUnreachable', message: `${rule}, got ${tried} of ${tasks.length}` });
  }
  return { found, longestRequestMs };
}

async function holdOnce(session: TaskSession): Promise<LedgerReport> {
  const before = await session.report();
  const epoch = before.hold.epoch + 1;
  await session.hold({ ...CANARY, epoch, endsStreams: false, dryRun: false });
  const after = await settle(() => session.release({ epoch, to: before.upstream }));
  if ('value' in after) return after.value;
  // On a slow way its lease had expired first: it held, and went on.
  const now = await session.report();
  if (now.hold.state === 'none') return now;
  throw new Error(after.problem);
}

function limit(findings: readonly Finding[]): Finding[] {
  const shown = firstLines(findings.map(({ message }) => message));
  return shown.map((message, at) => ({ code: findings[at]?.code ?? 'AdminUnreachable', message }));
}

import type { CutoverRun } from '../../core/cutover/run';
import { findDirection } from '../../core/plan/direction';
import type { ErrorCode } from '../../core/errors/errors';
import { firstLines } from '../../core/cutover/state-size';
import type { SwitchPlan } from '../../core/plan/switch-plan';
import type { ProbeReport } from '../../core/proxy/probe';
import type { LedgerReport } from '../../core/proxy/admin-api';
import { CALLS_AT_ONCE, pooled } from '../contract/concurrently';
import type { Ports } from '../contract/ports';
import type { Side } from '../../core/traffic/weights';
import { Settled, settle, settleWithin } from '../contract/settle';
import { findDeployments } from './scaling';
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
/** Tasks that show one after the other that they hold. */
const MAX_CANARIES = 20;
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

/** What a plan that switches needs beside: shown at every task, before anybody is held. */
export async function switchFindings(run: CutoverRun, ports: Ports): Promise<Finding[]> {
  const { plan } = run;
  if (!plan.switch) return [];
  const deployments = await findDeployments(ports);
  if (deployments.length > 0) return deployments.map((message) => ({ code: 'SwitchAborted', message }));
  const opened = await settle(() => ports.proxies.open());
  if ('problem' in opened) return [{ code: 'AwsUnavailable', message: opened.problem }];
  const tasks = opened.value.filter(({ session }) => session);
  const probe = findProbe(run, ports);
  const { path, host } = probe;
  const { from, to } = findDirection(plan);
  try {
    const probed = await pooled(tasks, CALLS_AT_ONCE, ({ session }) =>
      settleWithin(PROBE_MS, 'probing a task', () => session!.probe({ to, path, ...(host !== undefined && { host }) })),
    );
    const found = tasks.flatMap((task, at) => probeFindings({ task, to }, probed[at]!, probe, ports.now()));
    if (found.length > 0) return limit(found);
    return limit(
      await canaryFindings(
        tasks.filter(({ home }) => home === from),
        plan.switch,
      ),
    );
  } finally {
    for (const { session } of tasks) session?.close();
  }
}

function probeFindings(
  { task: { id, home }, to }: { readonly task: SwitchTask; readonly to: Side },
  probed: Settled<ProbeReport>,
  probe: SwitchProbe,
  nowMs: number,
): Finding[] {
  const name = `task ${id} of the ${home}`;
  if ('problem' in probed) return [{ code: 'AdminUnreachable', message: `${name}: ${probed.problem}` }];
  const { wallMs, tookMs } = probed.value;
  const { store, backend } = findProbeProblems(probed, probe);
  const found: Finding[] = [];
  if (store !== undefined) {
    found.push({ code: 'AwsUnavailable', message: `${name} must reach the store of the switch, got ${store}` });
  }
  if (backend !== undefined) {
    found.push({ code: 'SmokeFailed', message: `${name} must reach the ${to}'s backend, got ${backend}` });
  }
  const skewMs = Math.abs(nowMs - wallMs) - tookMs;
  if (skewMs > MAX_SKEW_MS) {
    const rule = `the clock of ${name} must be within ${MAX_SKEW_MS} ms of that of Lambda`;
    found.push({ code: 'AdminUnreachable', message: `${rule}, got ${Math.round(skewMs)} ms` });
  }
  return found;
}

/** Each in turn, so that no more than one task makes requests wait, and for a moment. */
async function canaryFindings(tasks: readonly SwitchTask[], { maxPauseMs }: SwitchPlan): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const { id, home, session } of tasks.slice(0, MAX_CANARIES)) {
    const name = `task ${id} of the ${home}`;
    const held = await settleWithin(CALL_MS, 'holding for a moment', () => holdOnce(session!));
    if ('problem' in held) {
      found.push({ code: 'AdminUnreachable', message: `${name} must hold and release: ${held.problem}` });
      continue;
    }
    const oldestMs = held.value.oldestSeconds.http * 1000;
    if (oldestMs > maxPauseMs) {
      const rule = `requests at ${name} must end within 'switch.maxPauseMs' (${maxPauseMs} ms)`;
      found.push({ code: 'SwitchAborted', message: `${rule}, got one for ${Math.round(oldestMs)} ms` });
    }
  }
  return found;
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

import type { CheckedAlarms } from '../../core/judge/alarm-check';
import { Diagnosis, ReadinessFinding, judgeReadiness } from '../../core/cutover/readiness';
import { CutoverRun, begin } from '../../core/cutover/run';
import { CutoverError } from '../../core/errors/errors';
import { hasPart } from '../../core/plan/hook-plan';
import { Plan, parsePlan } from '../../core/plan/plan';
import type { Regime } from '../../core/switch/regime';
import { adviseToFree, describeHolder } from '../../core/traffic/lock';
import { Weights, sameQuotas } from '../../core/traffic/weights';
import type { Ports } from '../contract/ports';
import { settle } from '../contract/settle';
import { createHandler } from '../shared/step';
import { findFindings, readRule } from './preflight';

/** What a person's command and the schedule ask for: the deployed plan and alarms, or a plan that is to be tried. */
export interface DoctorCall {
  readonly plan: unknown;
  readonly alarms?: CheckedAlarms;
  /** Whether the result is recorded as the metric of the standing alarm. */
  readonly isRecorded?: boolean;
}

/**
 * A preflight without a cutover. It takes no lock, writes nothing, holds nothing, and tells no proxy anything: what a preflight does
 * beside that is named as not checked.
 */
export async function doctor(call: DoctorCall, ports: Ports, nowMs: number): Promise<Diagnosis> {
  const diagnosis = await diagnose(call, ports, nowMs);
  if (call.isRecorded === true) ports.metrics.readiness(diagnosis, nowMs);
  return diagnosis;
}

async function diagnose({ plan, alarms }: DoctorCall, ports: Ports, nowMs: number): Promise<Diagnosis> {
  try {
    const run = { ...begin('doctor', new Date(nowMs).toISOString(), parsePlan(plan)), ...(alarms && { alarms }) };
    return await examine(run, ports);
  } catch (error) {
    return conclude([toFinding(error)]);
  }
}

async function examine(run: CutoverRun, ports: Ports): Promise<Diagnosis> {
  const held = await findHolder(ports);
  if (held === 'underWay') return { readiness: 'underWay', findings: [], notChecked: [] };
  const { weights } = await readRule(ports);
  if (held.length === 0 && isDone(run.plan, weights)) return { readiness: 'done', findings: [], notChecked: [] };
  const stored = await settle(() => ports.switches.readRegime());
  const notChecked = listNotChecked(run.plan, 'value' in stored ? stored.value.regime : undefined);
  const { findings, warnings } = await findFindings(run, weights, ports, 'changesNothing');
  return { ...conclude([...held, ...findings], notChecked), ...(warnings.length > 0 && { warnings }) };
}

function conclude(findings: readonly ReadinessFinding[], notChecked: readonly string[] = []): Diagnosis {
  return { readiness: judgeReadiness(findings), findings, notChecked };
}

/** A cutover without evidence is under way, or is being put back. One that kept its lock asks for a person. */
async function findHolder({ store, notifier }: Ports): Promise<readonly ReadinessFinding[] | 'underWay'> {
  const held = await store.holder();
  if (!held || held.hasExpired) return [];
  const isCutover = held.expiresAt === undefined;
  if (isCutover && !(await store.hasEvidence(held.execution))) return 'underWay';
  const advice = isCutover
    ? ` and has ended: read its evidence, look at the weights, then ${adviseToFree(notifier.places.storeBucket)}`
    : '';
  return [{ code: 'LockHeld', message: `the lock must be free, got one ${describeHolder(held)}${advice}` }];
}

function isDone({ initialWeights, stages }: Plan, weights: Weights): boolean {
  const end = stages.at(-1)?.weights;
  return end !== undefined && sameQuotas(weights, end) && !sameQuotas(weights, initialWeights);
}

/** What a preflight would do first, or show by doing it. */
function listNotChecked({ switch: switching }: Plan, regime: Regime | undefined): string[] {
  const left = regime?.switching;
  return [
    ...(switching ? ['that each task holds and releases: a preflight has each hold for a moment'] : []),
    ...(switching?.hook?.probeWrite && hasPart(switching.hook, 'freeze')
      ? ['the probe write of the hook: it would write to the backend']
      : []),
    ...(left ? [`the switch of epoch ${regime.epoch} that '${left.execution}' left: a preflight ends it first`] : []),
    ...(regime?.isJoined
      ? [`each side's own backend: all proxies forward to the ${regime.side}, until a preflight separates them`]
      : []),
    ...(regime?.frozen ? [`the ${regime.frozen}, which a hook left frozen: a preflight thaws it first`] : []),
  ];
}

/** What could not be read, or a plan that breaks a rule. */
function toFinding(error: unknown): ReadinessFinding {
  if (error instanceof CutoverError) return { code: error.code, message: error.message };
  return { code: 'AwsUnavailable', message: error instanceof Error ? error.message : String(error) };
}

export const handler = createHandler(doctor);

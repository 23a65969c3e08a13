import { pendingGate } from '../../core/approval';
import { CutoverRun, note } from '../../core/cutover';
import { CutoverError, ErrorCode } from '../../core/errors';
import { otherRules, weightsOf } from '../../core/forward';
import { vetoOf } from '../../core/veto';
import { formatWeights, sameShares, SIDES } from '../../core/weights';
import type { Ports } from '../ports';
import { handlerOf } from '../step';

interface Finding {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Looks at everything that must be so before traffic moves, and reports all that is not. */
export async function preflight(run: CutoverRun, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const { loadBalancer, store } = ports;
  if (await store.abortRequested(run.execution))
    throw new CutoverError('Aborted', `an operator asked '${run.execution}' to stop`);
  const readings = await loadBalancer.rules();
  const forward = readings.find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
  const weights = forward && weightsOf(forward, loadBalancer.groupArns);
  if (!forward || !weights) {
    throw new CutoverError(
      'RuleNotWeighted',
      `'${loadBalancer.ruleArn}' must forward to the two target groups and to no other`,
    );
  }
  const findings = [
    ...weightFindings(run, weights),
    ...(
      await Promise.all([
        targetFindings(run, ports),
        smokeFindings(run, ports),
        adminFindings(ports),
        alarmFindings(ports),
      ])
    ).flat(),
  ];
  const [first] = findings;
  if (first) throw new CutoverError(first.code, findings.map(({ message }) => message).join('\n'));

  // It looks again after the approval, which may take hours: only the last look says that something may move.
  const gate = pendingGate(run.plan, run.approved ?? [], 0);
  if (gate) return note({ ...run, verdict: 'approve' }, nowMs, 'Preflight', { weights });
  const initial = { stickiness: forward.stickiness, others: otherRules(readings, loadBalancer.ruleArn) };
  const ready = note({ ...run, initial, verdict: 'go' }, nowMs, 'Preflight', { weights });
  await store.save(ready);
  return ready;
}

function weightFindings(run: CutoverRun, weights: CutoverRun['plan']['initialWeights']): Finding[] {
  if (sameShares(weights, run.plan.initialWeights)) return [];
  const expected = formatWeights(run.plan.initialWeights);
  return [
    { code: 'WeightsUnexpected', message: `the weights in force must be ${expected}, got ${formatWeights(weights)}` },
  ];
}

async function alarmFindings({ alarms }: Ports): Promise<Finding[]> {
  const veto = vetoOf(alarms.names, await alarms.read());
  return veto ? [veto] : [];
}

async function targetFindings(run: CutoverRun, { loadBalancer }: Ports): Promise<Finding[]> {
  const counts = await Promise.all(SIDES.map((side) => loadBalancer.healthyTargets(side)));
  const least = run.plan.minimumHealthyTargets;
  return SIDES.flatMap((side, index) => {
    const healthy = counts[index] ?? 0;
    if (healthy >= least) return [];
    return [
      {
        code: 'TargetsUnhealthy' as const,
        message: `the ${side} must have at least ${least} healthy targets, got ${healthy}`,
      },
    ];
  });
}

async function smokeFindings(run: CutoverRun, { smoke }: Ports): Promise<Finding[]> {
  const requests = SIDES.flatMap((side) => run.plan.smoke.map((request) => ({ side, ...request })));
  const answers = await Promise.all(requests.map(({ side, path }) => smoke.get(side, path)));
  return requests.flatMap(({ side, path, expectedStatus }, index) => {
    const answer = answers[index];
    if (answer === expectedStatus) return [];
    return [
      {
        code: 'SmokeFailed' as const,
        message: `GET ${path} on the ${side} must answer ${expectedStatus}, got ${answer}`,
      },
    ];
  });
}

async function adminFindings({ proxies }: Ports): Promise<Finding[]> {
  const findings = SIDES.map(async (side): Promise<Finding[]> => {
    try {
      const staying = (await proxies.reports(side)).filter(({ isLeaving }) => !isLeaving);
      if (staying.length === 0)
        return [{ code: 'NoTasks', message: `the ${side} must have at least 1 running proxy task, got 0` }];
      const draining = staying.filter(({ report }) => report.state !== 'serving').map(({ address }) => address);
      if (draining.length === 0) return [];
      return [
        {
          code: 'ProxyDraining',
          message: `every proxy of the ${side} must be serving, got draining ${draining.join(', ')}`,
        },
      ];
    } catch (error) {
      if (!(error instanceof CutoverError)) throw error;
      return [{ code: error.code, message: error.message }];
    }
  });
  return (await Promise.all(findings)).flat();
}

export const handler = handlerOf(preflight);

import type { CutoverRun } from '../../core/cutover/run';
import type { ProbeOrder, ProbeReport } from '../../core/proxy/probe';
import type { Ports } from '../contract/ports';
import type { Settled } from '../contract/settle';

/** What tasks are asked before requests are held, and once more right before the decision: no request goes to a side that is gone. */
export interface SwitchProbe extends Pick<ProbeOrder, 'path' | 'host'> {
  /** @default - any */
  readonly expectedStatus?: number;
}

/** The first smoke request of the plan. */
export function findProbe({ plan }: CutoverRun, { smoke }: Ports): SwitchProbe {
  const [first] = plan.smoke;
  return { host: smoke.host, path: first?.path ?? '/', ...(first && { expectedStatus: first.expectedStatus }) };
}

/** Why a task cannot switch to a backend, by what does not respond; nothing where it can. */
export type ProbeProblems = Partial<Record<'task' | 'store' | 'backend', string>>;

export function findProbeProblems(probed: Settled<ProbeReport>, { expectedStatus }: SwitchProbe): ProbeProblems {
  if ('problem' in probed) return { task: probed.problem };
  const { status, upstreamProblem, storeProblem } = probed.value;
  // 0: the upstream speaks no HTTP/1.1, and could be connected to.
  const isServed = expectedStatus === undefined || status === expectedStatus || status === 0;
  const backend = upstreamProblem ?? (isServed ? undefined : `${status}`);
  return { ...(backend !== undefined && { backend }), ...(storeProblem !== undefined && { store: storeProblem }) };
}

import { formatWeights } from '../../core/traffic/weights';
import { readAssembly } from '../template/assembly/read';
import { readBackWeights } from './read-back';
import { RedeployEvidence, keptWeights } from '../report/evidence';
import type { ProgressReporter } from '../progress/progress-reporter';
import { redeploy } from '../redeploy/redeploy';
import type { ExecutionDescription } from '../state-machine/model';
import { until } from '../processes/waiting';
import type { LocalCloud } from '../cloud/local-cloud';

interface RedeployContext {
  /** The folder of the assembly. @default - nothing is deployed */
  readonly redeploy?: string;
  readonly running: ExecutionDescription;
  readonly reporter: ProgressReporter;
  readonly signal: AbortSignal;
  /** What the assembly does not tell. @default - nothing */
  readonly parameters?: ReadonlyMap<string, string>;
}

/**
 * Deploys another assembly of the app in the middle of the first bake, and says whether the weights stayed.
 *
 * @returns undefined when nothing is to be deployed, and when the cutover ended before its first bake
 * @throws Error, the signal's reason
 */
export async function redeployInBake(
  cloud: LocalCloud,
  { redeploy: app, running, reporter, signal, parameters }: RedeployContext,
): Promise<RedeployEvidence | undefined> {
  if (app === undefined) return undefined;
  const isBaking = () => running.entered.some(({ state }) => state === 'Bake');
  await until(() => isBaking() || running.status !== 'RUNNING', { signal });
  if (!isBaking()) {
    reporter.step('redeploy: not done, because the cutover ended before its first bake');
    return undefined;
  }
  const shifts = () => running.entered.filter(({ state }) => state === 'Shift').length;
  const shiftsBefore = shifts();
  const weightsBefore = await readBackWeights(cloud);
  reporter.step(`redeploying '${app}'`);
  const redeployed = await redeploy(cloud.stack, readAssembly(app, '--redeploy', parameters));
  const weightsAfter = await readBackWeights(cloud);
  // What the cutover itself has shifted meanwhile says nothing of the redeploy.
  const weights = shifts() === shiftsBefore && {
    ...(weightsBefore && { weightsBefore }),
    ...(weightsAfter && { weightsAfter }),
  };
  const evidence = { app, ...redeployed, ...weights };
  tell(evidence, reporter);
  return evidence;
}

function tell(evidence: RedeployEvidence, reporter: ProgressReporter): void {
  const { status, reason, applied, passedOver, weightsBefore, weightsAfter } = evidence;
  reporter.step(`redeploy: ${status}${reason === undefined ? '' : `: ${reason}`}`);
  for (const name of applied) reporter.step(`redeploy: changed ${name}`);
  for (const name of passedOver) reporter.step(`redeploy: ${name} changed in the template, and stays as it is here`);
  if (applied.length + passedOver.length === 0 && reason === undefined) {
    reporter.step(`redeploy: nothing changed of what is told here`);
  }
  if (!weightsBefore) return;
  const after = weightsAfter ? formatWeights(weightsAfter) : 'what cannot be read any more';
  if (keptWeights(evidence)) reporter.step(`redeploy: the weights stay ${after}`);
  else reporter.step(`redeploy: THE WEIGHTS MOVED, ${formatWeights(weightsBefore)} → ${after}`);
}

import { listGates } from '../../core/approval/approval';
import { findDirection } from '../../core/plan/direction';
import { formatSeconds } from '../../core/plan/explain';
import { Plan, estimateSeconds } from '../../core/plan/plan';
import { formatWeights } from '../../core/traffic/weights';
import { shellWord } from '../../core/text/shell-word';

/** For a person who is about to start a plan: the way that the traffic takes, how long, and what a failure means. */
export function describeWay(plan: Plan): string[] {
  const { from, to } = findDirection(plan);
  const typical = formatSeconds(estimateSeconds(plan).typical);
  return [
    ...describeStages(plan),
    `Then the ${from} is drained. In all about ${typical}. If the ${to} fails meanwhile, the traffic returns to the ${from}.`,
  ];
}

function describeStages(plan: Plan): string[] {
  const { switch: switching, stages } = plan;
  const { to } = findDirection(plan);
  const [first] = stages;
  if (!switching)
    return [`In ${stages.length} stages: ${stages.map(({ weights }) => formatWeights(weights)).join(', ')}.`];
  const wait = `Requests wait for up to ${switching.maxPauseMs} ms, until one decision is written, and then go to the ${to}.`;
  const dry = switching.dryRun ? ['The plan is a dry run: the decision is an abort, and nothing moves.'] : [];
  return [wait, ...dry, `Both sides are watched for ${formatSeconds(first!.bakeSeconds)}.`];
}

/** With its name: a cutover that has ended by then is shown too, and its outcome is the exit code of `watch`. */
export function describeWatch(stack: string, execution: string): string {
  return `Watch it: drainshift watch --stack ${shellWord(stack)} --execution ${shellWord(execution)}`;
}

export function describeGates({ approval, stages }: Plan): string[] {
  const gates = listGates(approval, stages.length);
  return gates.length > 0 ? [`It waits for an approval at: ${gates.join(', ')}.`] : [];
}

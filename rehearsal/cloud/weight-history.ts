import { findWeights } from '../../core/traffic/forward';
import { Weights, formatWeights } from '../../core/traffic/weights';
import type { StackModel } from '../template/model/stack-model';
import { listGroups } from '../load-balancer/model/model';

/** The weights were set to these, by whom: a function of the template, or a person. */
export interface WeightChange {
  /** ISO 8601. */
  readonly at: string;
  readonly weights: Weights;
  readonly by: string;
}

/** What the load balancer itself was told, whatever the evidence of a cutover says of it. */
export class WeightHistory {
  private readonly changes: WeightChange[] = [];

  /** Keeps the weights of now, when they are others than before. */
  note(weights: Weights | undefined, by: string): void {
    const before = this.changes.at(-1);
    if (!weights || (before && formatWeights(before.weights) === formatWeights(weights))) return;
    this.changes.push({ at: new Date().toISOString(), weights, by });
  }

  /** Those in force then, and every change after it. */
  since(atMs: number): readonly WeightChange[] {
    const first = this.changes.findLastIndex(({ at }) => Date.parse(at) <= atMs);
    return this.changes.slice(Math.max(0, first));
  }
}

/** @returns undefined for a rule that is gone, or forwards to others than the two groups */
export function weightsInForce({ config, elb }: StackModel): Weights | undefined {
  const rule = elb.rules.get(config.weightedRuleArn);
  if (rule?.actions[0]?.type !== 'forward') return undefined;
  return findWeights({ groups: listGroups(rule), stickiness: { enabled: false, seconds: 0 } }, config.targetGroupArns);
}

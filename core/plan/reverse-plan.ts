import { exchangeWeights, findDirection } from './direction';
import type { Plan } from './plan';

/**
 * The rollback of a completed cutover: the same plan with its sides exchanged. It starts from the weights that the plan ends
 * with.
 */
export function reversePlan(plan: Plan): Plan {
  const initialWeights = plan.stages.at(-1)?.weights ?? plan.initialWeights;
  const stages = plan.stages.map((stage) => ({ ...stage, weights: exchangeWeights(stage.weights) }));
  return { ...plan, from: findDirection(plan).to, initialWeights, stages };
}

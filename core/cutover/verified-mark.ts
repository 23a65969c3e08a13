import { CutoverRun } from './run';

/** What the weighted rule itself can say of a cutover, where the store could not be reached. */
export type RuleMark = 'verified' | 'rollingBack';

/**
 * The tags of the weighted rule: which cutover has passed `Verify`, and which one rolls back and had to leave the weights. Two
 * tags, so that it does not matter in which order they were written.
 */
export const MARK_TAGS: Readonly<Record<RuleMark, string>> = {
  verified: 'drainshift:verified',
  rollingBack: 'drainshift:rolling-back',
};

/**
 * The value of a mark: this one execution and no other, in the characters that a tag may have.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Tag.html
 */
export function formatMark({ execution, startedAt }: Pick<CutoverRun, 'execution' | 'startedAt'>): string {
  const name = execution.replace(/[^\p{L}\p{Z}\p{N}_.:/=+\-@]/gu, '.');
  return `${name} ${startedAt}`;
}

/** Whether a cutover is far enough to have passed `Verify`. */
export function mayBeVerified({ stage, plan }: Pick<CutoverRun, 'stage' | 'plan'>): boolean {
  return stage?.index === plan.stages.length - 1;
}

import { CutoverRun } from './run';

/** The tag of the weighted rule that says which cutover has passed `Verify`, where the store could not be told. */
export const VERIFIED_TAG = 'drainshift:verified';

/**
 * Its value: this one execution and no other, in the characters that a tag may have.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Tag.html
 */
export function verifiedMark({ execution, startedAt }: Pick<CutoverRun, 'execution' | 'startedAt'>): string {
  const name = execution.replace(/[^\p{L}\p{Z}\p{N}_.:/=+\-@]/gu, '.');
  return `${name} ${startedAt}`;
}

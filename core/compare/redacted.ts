/** What stands in a capture in the place of a value that was not recorded begins with it. */
export const REDACTED_MARK = 'drainshift-redacted:';

/** Of a value that was not recorded it is not known whether the other one is the same: it is not compared. */
export function isRedacted(value: unknown): boolean {
  return typeof value === 'string' && value.includes(REDACTED_MARK);
}

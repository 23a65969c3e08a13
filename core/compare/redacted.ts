/** What a capture has in the place of a value that it does not record (`core/capture/`): the value alone, or a part of a field. */
const REDACTED = /\bredacted-[0-9a-f]{8,64}\b/;

/** Of a value that was not recorded it is not known whether the other one is the same: it is not compared. */
export function isRedacted(value: unknown): boolean {
  return typeof value === 'string' && REDACTED.test(value);
}

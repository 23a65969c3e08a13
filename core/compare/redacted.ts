import { REDACTED } from '../capture/redaction';

/** The hash that a capture has in the place of a value: the value alone, or a part of a field. */
const HASH = new RegExp(String.raw`\b${REDACTED}[0-9a-f]{8,64}\b`);

/** Of a value that was not recorded it is not known whether the other one is the same: it is not compared. */
export function isRedacted(value: unknown): boolean {
  return typeof value === 'string' && HASH.test(value);
}

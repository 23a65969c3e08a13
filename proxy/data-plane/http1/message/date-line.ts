import type { FieldBlock } from '../../contract/streams';

let second = NaN;
let line: FieldBlock = '';

/** The line that says when a response came by that did not say when it was made (RFC 9110 section 6.6.1). */
export function dateLine(nowMs = Date.now()): FieldBlock {
  const now = Math.floor(nowMs / 1000);
  if (now !== second) {
    second = now;
    line = `Date: ${new Date(nowMs).toUTCString()}\r\n`;
  }
  return line;
}

/**
 * Control characters of C0 and C1, line and paragraph separators, and what turns the direction of text: in a terminal they
 * move the cursor, change its title or forge lines (CWE-150, CVE-2021-42574).
 */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** One line in which everything can be seen: what a terminal would act on is written as its escape. */
export function printableLine(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

/** Several lines: line feeds stay. */
export function printable(text: string): string {
  return text.split('\n').map(printableLine).join('\n');
}

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
}

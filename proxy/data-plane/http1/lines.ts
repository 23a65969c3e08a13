import type { FieldBlock, ReplacedFields } from '../halves';

/** The lines of one field in a block; none for undefined. */
export function linesOf(name: string, value: string | string[] | undefined): FieldBlock {
  if (value === undefined) return '';
  if (typeof value === 'string') return `${name}: ${value}\r\n`;
  return value.map((item) => `${name}: ${item}\r\n`).join('');
}

/** Without the white space around it (RFC 9110 section 5.6.3); `trim` takes other bytes for white space, too. */
export function withoutSpace(text: string): string {
  let from = 0;
  let end = text.length;
  while (from < end && isSpace(text.charCodeAt(from))) from += 1;
  while (end > from && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(from, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** The lines of several fields. */
export function blockOf(fields: ReplacedFields | undefined): FieldBlock {
  let block = '';
  for (const name in fields) block += linesOf(name, fields[name]);
  return block;
}

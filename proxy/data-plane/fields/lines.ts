import type { FieldBlock, ReplacedFields } from '../contract/streams';

/** The lines of one field in a block; none for undefined. */
export function listLines(name: string, value: string | string[] | undefined): FieldBlock {
  if (value === undefined) return '';
  if (typeof value === 'string') return `${name}: ${value}\r\n`;
  return value.map((item) => `${name}: ${item}\r\n`).join('');
}

/** Without the white space around it (RFC 9110 section 5.6.3); `trim` takes other bytes for white space, too. */
export function withoutSpace(text: string): string {
  return partWithoutSpace(text, 0, text.length);
}

/** The same of a part of a text. */
export function partWithoutSpace(text: string, from: number, to: number): string {
  let [start, end] = [from, to];
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** The lines of several fields. */
export function buildFieldBlock(fields: ReplacedFields | undefined): FieldBlock {
  let block = '';
  for (const name in fields) block += listLines(name, fields[name]);
  return block;
}

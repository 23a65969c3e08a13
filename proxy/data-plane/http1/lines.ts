import type { FieldBlock, ReplacedFields } from '../halves';

/** The lines of one field in a block; none for undefined. */
export function linesOf(name: string, value: string | string[] | undefined): FieldBlock {
  if (value === undefined) return '';
  if (typeof value === 'string') return `${name}: ${value}\r\n`;
  return value.map((item) => `${name}: ${item}\r\n`).join('');
}

/** The lines of several fields. */
export function blockOf(fields: ReplacedFields | undefined): FieldBlock {
  let block = '';
  for (const name in fields) block += linesOf(name, fields[name]);
  return block;
}

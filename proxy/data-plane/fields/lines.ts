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

/** The values of a block's lines of one name, in order. */
export function listValues(fields: FieldBlock, name: string): string[] {
  return fields.split('\r\n').flatMap((line) => {
    const colon = line.indexOf(':');
    return colon > 0 && line.slice(0, colon).toLowerCase() === name ? [withoutSpace(line.slice(colon + 1))] : [];
  });
}

/** A block without the lines of these names. */
export function withoutFields(fields: FieldBlock, names: readonly string[]): FieldBlock {
  const isLeftOut = (line: string) => names.includes(line.slice(0, line.indexOf(':')).toLowerCase());
  const lines = fields.split('\r\n').filter((line) => line !== '' && !isLeftOut(line));
  return lines.map((line) => `${line}\r\n`).join('');
}

/** The items of a list with commas. */
export function listed(value: string | undefined): string[] {
  if (value === undefined) return [];
  const items = value.split(',').map(withoutSpace);
  return items.filter((item) => item !== '');
}

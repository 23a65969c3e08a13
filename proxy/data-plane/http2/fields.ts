import { HOP_BY_HOP, exactLength } from '../fields/field-lines';
import { withoutSpace } from '../fields/lines';
import type { BodyLength, FieldBlock } from '../contract/streams';

/** What node:http2 takes and gives: lower-case names, a list for what stands on several lines. */
export type Http2Fields = Record<string, string | string[]>;

const NOT_PASSED: ReadonlySet<string> = new Set(HOP_BY_HOP);

/** Control bytes but HTAB: a reader of HTTP/1.1 would see a line's end in some of them (RFC 9110 section 5.5). */
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/;
const CONTROLS = new RegExp(CONTROL, 'g');

export function hasControlBytes(text: string): boolean {
  return CONTROL.test(text);
}

/** What an upstream of HTTP/1.1 may have in a value, and what clients of HTTP/2 reset their stream for, as spaces (RFC 9110 section 5.5). */
function printable(value: string): string {
  return hasControlBytes(value) ? value.replaceAll(CONTROLS, ' ') : value;
}

/** Neither framing, which each hop makes anew, nor a field of one connection, nor a pseudo field. */
export function isEndToEnd(name: string): boolean {
  return name !== 'content-length' && !name.startsWith(':') && !NOT_PASSED.has(name);
}

export function emptyFields(): Http2Fields {
  // A field may be called `__proto__`.
  return Object.create(null) as Http2Fields;
}

/** Adds the lines of a block, under lower-case names. */
export function addBlock(fields: Http2Fields, block: FieldBlock): Http2Fields {
  for (let at = 0; at < block.length;) {
    const end = block.indexOf('\r\n', at);
    const stop = end === -1 ? block.length : end;
    const colon = block.indexOf(':', at);
    if (colon > at && colon < stop) {
      const name = block.slice(at, colon).toLowerCase();
      if (isEndToEnd(name)) addField(fields, name, printable(withoutSpace(block.slice(colon + 1, stop))));
    }
    at = stop + 2;
  }
  return fields;
}

/** Adds a field next to those of its name. */
function addField(fields: Http2Fields, name: string, value: string): void {
  const present = fields[name];
  if (present === undefined) fields[name] = value;
  else if (Array.isArray(present)) present.push(value);
  else fields[name] = [present, value];
}

/**
 * The fields that `keeps` takes, as a block.
 *
 * @param raw names and values in turn, in the order of the wire
 */
export function buildFieldBlock(raw: readonly string[], keeps: (name: string) => boolean): FieldBlock {
  let block = '';
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index]!;
    const value = raw[index + 1]!;
    if (keeps(name) && !hasControlBytes(value)) block += `${name}: ${value}\r\n`;
  }
  return block;
}

/** What a `Content-Length` says; undefined where there is none, 'malformed' for anything but one plain number. */
export function statedLength(value: string | undefined): BodyLength | undefined | 'malformed' {
  return value === undefined ? undefined : (exactLength(value) ?? 'malformed');
}

import type { Deviation } from '../contract/deviations';
import { withoutSpace } from './lines';

/** A text as RFC 9112 has it, and how the one that came was not. */
export interface Repaired {
  readonly text: string;
  readonly deviations: readonly Deviation[];
}

/** Control bytes that no reader takes for an end: all but NUL, CR and LF. They stay where they are in values (RFC 9110 section 5.5). */
const CONTROL = /[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]/;
const STATUS_DIGITS = 3;
const VERSION_BYTES = 8;

/**
 * The head of an upstream's response, written as it should have been.
 *
 * @returns undefined when nothing is wrong with it that can be fixed
 */
export function repairResponseHead(text: string): Repaired | undefined {
  const found = new Set<Deviation>();
  const lines = splitLines(text, found);
  const first = lines.findIndex((line) => line !== '');
  if (first > 0) found.add('emptyLinesBefore');
  const fields = repairFields(lines.slice(first + 1, -2), found);
  const repaired = [repairStatusLine(lines[first] ?? '', found), ...fields, '', ''].join('\r\n');
  return found.size === 0 ? undefined : { text: repaired, deviations: [...found] };
}

/** The same for the lines of trailers with their empty line. */
export function repairTrailers(text: string): Repaired {
  const found = new Set<Deviation>();
  const fields = repairFields(splitLines(text, found).slice(0, -2), found);
  return { text: [...fields, '', ''].join('\r\n'), deviations: [...found] };
}

/** The last one is empty, and so is the one before it. */
function splitLines(text: string, found: Set<Deviation>): string[] {
  const lines = text.split('\n');
  return lines.map((line, index) => {
    if (line.endsWith('\r')) return line.slice(0, -1);
    if (index < lines.length - 1) found.add('bareLineFeed');
    return line;
  });
}

/** RFC 9112 sections 5.1 and 5.2: a fold becomes a space, and a space before the colon goes. */
function repairFields(lines: readonly string[], found: Set<Deviation>): string[] {
  const fields: string[] = [];
  for (const line of lines) {
    if (CONTROL.test(line)) found.add('controlBytes');
    const isFold = isSpace(line.charCodeAt(0)) && fields.length > 0;
    if (isFold) {
      found.add('foldedLine');
      fields[fields.length - 1] += ` ${withoutSpace(line)}`;
    } else fields.push(repairColon(line, found));
  }
  return fields;
}

function repairColon(line: string, found: Set<Deviation>): string {
  const colon = line.indexOf(':');
  if (colon < 1 || !isSpace(line.charCodeAt(colon - 1))) return line;
  found.add('spaceBeforeColon');
  return withoutSpace(line.slice(0, colon)) + line.slice(colon);
}

/** `HTTP/2.0` on a connection of HTTP/1.1 is what programs say that repeat what the client had said. */
function repairStatusLine(line: string, found: Set<Deviation>): string {
  const version = line.startsWith('HTTP/2.0') ? 'HTTP/1.1' : line.slice(0, VERSION_BYTES);
  const rest = withoutSpace(line.slice(VERSION_BYTES));
  const isApart = isSpace(line.charCodeAt(VERSION_BYTES));
  const behind = rest.charCodeAt(STATUS_DIGITS);
  if (!isApart || !(Number.isNaN(behind) || isSpace(behind))) return line;
  const reason = withoutSpace(rest.slice(STATUS_DIGITS));
  if (CONTROL.test(reason)) found.add('controlBytes');
  const repaired = `${version} ${rest.slice(0, STATUS_DIGITS)} ${CONTROL.test(reason) ? '' : reason}`;
  if (withoutSpace(repaired) !== withoutSpace(line) && !CONTROL.test(reason)) found.add('statusLine');
  return repaired;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

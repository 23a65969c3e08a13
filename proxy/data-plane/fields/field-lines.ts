import { partWithoutSpace, withoutSpace } from './lines';

/**
 * The scan of a head's bytes. Everything that two readers could read in two ways is rejected here, once, for requests and
 * responses alike (RFC 9112 sections 2.2, 5 and 11).
 */

/** The fields that the engine itself looks at; each has a bit of its own. */
const NAMES = [
  'connection',
  'content-length',
  'transfer-encoding',
  'host',
  'expect',
  'te',
  'upgrade',
  'trailer',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'proxy-authenticate',
  'proxy-authentication-info',
  'http2-settings',
  'content-type',
  'content-encoding',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-amzn-trace-id',
  'authorization',
  'www-authenticate',
  'date',
  'via',
  'max-forwards',
  'cdn-loop',
  'x-drainshift-resume',
  'x-drainshift-resume-token',
] as const;

export type KnownName = (typeof NAMES)[number];

/** The bit of a known field; 0 for any other. */
export function fieldBit(name: string): number {
  return BITS.get(name) ?? 0;
}

const BITS: ReadonlyMap<string, number> = new Map(NAMES.map((name, index) => [name, 1 << index]));

/** The bits of the fields that say something of the connection or the framing. */
export const CONNECTION = fieldBit('connection');
export const CONTENT_LENGTH = fieldBit('content-length');
export const TRANSFER_ENCODING = fieldBit('transfer-encoding');
export const HOST = fieldBit('host');
export const EXPECT = fieldBit('expect');
export const TE = fieldBit('te');
export const UPGRADE = fieldBit('upgrade');
export const TRAILER = fieldBit('trailer');
export const KEEP_ALIVE = fieldBit('keep-alive');
export const CONTENT_TYPE = fieldBit('content-type');
export const CONTENT_ENCODING = fieldBit('content-encoding');
export const WWW_AUTHENTICATE = fieldBit('www-authenticate');
export const DATE = fieldBit('date');
export const VIA = fieldBit('via');
export const MAX_FORWARDS = fieldBit('max-forwards');

/** Fields of one connection, never passed on (RFC 9110 section 7.6.1); HTTP/2 forbids them (RFC 9113 section 8.2.2). */
export const HOP_BY_HOP = [
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
] as const;

/** Their bits, and that of the length: framing is made anew for each connection. */
export const NOT_PASSED = HOP_BY_HOP.reduce((bits, name) => bits | fieldBit(name), CONTENT_LENGTH);

/** What a proxy says to its upstream of a connection that is moved there, and no client may. */
export const RESUME_FIELDS = ['x-drainshift-resume', 'x-drainshift-resume-token'] as const;
export const [RESUME_FIELD, RESUME_TOKEN_FIELD] = RESUME_FIELDS;

/** Their bits, of a request. */
export const NOT_OF_CLIENTS = RESUME_FIELDS.reduce((bits, name) => bits | fieldBit(name), 0);

const CR = 13;
const LF = 10;
const COLON = 58;
const SPACE = 32;
const TAB = 9;

/** RFC 9110 section 5.6.2. */
export const isTokenCode = table((code) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(code)));
/** RFC 9110 section 5.5: visible characters, space, tab, and bytes that are not ASCII. */
const isValueCode = table((code) => code === TAB || (code >= SPACE && code !== 127));
/** The same, and all control bytes that no reader takes for an end (RFC 9110 section 5.5). */
export const isLooseValueCode = table((code) => code !== 0 && code !== CR && code !== LF);

function table(holds: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => Number(holds(code)));
}

/** A place for each known name by a hash of its letters, its index in `NAMES` and one; 0 for none. */
const SLOTS = 4_096;
const SLOT_OF = slots();

function slots(): Uint8Array {
  const table = new Uint8Array(SLOTS);
  NAMES.forEach((name, index) => {
    let hash = 0;
    for (let at = 0; at < name.length; at += 1) hash = step(hash, name.charCodeAt(at));
    if (table[hash % SLOTS] !== 0) throw new Error(`'SLOTS' must be a size without collisions, got ${SLOTS}`);
    table[hash % SLOTS] = index + 1;
  });
  return table;
}

function step(hash: number, code: number): number {
  return (hash * 31 + (code | 32)) & 0x3fffffff;
}

/** Of one line: where it begins, times this, and its known name's place in `NAMES` and one, or 0. */
const LINE = 32;

/** The field lines of one head, as places in its text. They are checked, so a line has its colon and ends with CR LF. */
export class FieldLines {
  private readonly lines: number[] = [];
  /** The bits of all known fields that are there. */
  present = 0;
  /** The bits of those that are there more than once. */
  repeated = 0;

  /** `end`: behind the last line. */
  constructor(
    readonly text: string,
    private readonly end: number,
  ) {}

  /** `slot`: see `LINE`. */
  add(start: number, slot: number): void {
    this.lines.push(start * LINE + slot);
    if (slot === 0) return;
    const bit = 1 << (slot - 1);
    this.repeated |= this.present & bit;
    this.present |= bit;
  }

  get count(): number {
    return this.lines.length;
  }

  /** Whether one of these fields is there. */
  has(bits: number): boolean {
    return (this.present & bits) !== 0;
  }

  isRepeated(bit: number): boolean {
    return (this.repeated & bit) !== 0;
  }

  nameAt(index: number): string {
    const start = this.startAt(index);
    return this.text.slice(start, this.text.indexOf(':', start)).toLowerCase();
  }

  valueAt(index: number): string {
    const { text } = this;
    return partWithoutSpace(text, text.indexOf(':', this.startAt(index)) + 1, this.startAt(index + 1) - 2);
  }

  /** The value of a field by its name; the lines of a repeated one are joined, as RFC 9110 section 5.3 has it. */
  value(name: string): string | undefined {
    const bit = fieldBit(name);
    if (bit !== 0) return this.known(bit);
    let value: string | undefined;
    for (let index = 0; index < this.lines.length; index += 1) {
      if (this.lines[index]! % LINE === 0 && this.isNamed(index, name))
        value = joined(value, this.valueAt(index), name);
    }
    return value;
  }

  /** All fields by their names, each as `value` has it. Their record has no prototype: a field may be called `constructor`. */
  record(): Record<string, string> {
    const record = Object.create(null) as Record<string, string>;
    for (let index = 0; index < this.lines.length; index += 1) {
      const name = this.nameAt(index);
      record[name] = joined(record[name], this.valueAt(index), name);
    }
    return record;
  }

  /** The same for a known field, by its bit. */
  known(bit: number): string | undefined {
    if ((this.present & bit) === 0) return undefined;
    const slot = 32 - Math.clz32(bit);
    let value: string | undefined;
    for (let index = 0; index < this.lines.length; index += 1) {
      if (this.lines[index]! % LINE !== slot) continue;
      value = joined(value, this.valueAt(index), '');
      if ((this.repeated & bit) === 0) return value;
    }
    return value;
  }

  /** The lines as they came, without those of these bits and these other names. */
  without(bits: number, names: ReadonlySet<string> | undefined): string {
    if ((this.present & bits) === 0 && names === undefined) return this.text.slice(this.startAt(0), this.end);
    let kept = '';
    let from = -1;
    for (let index = 0; index < this.lines.length; index += 1) {
      const isKept = (this.bitAt(index) & bits) === 0 && !(names?.has(this.nameAt(index)) ?? false);
      if (isKept) {
        if (from < 0) from = this.startAt(index);
      } else if (from >= 0) {
        kept += this.text.slice(from, this.startAt(index));
        from = -1;
      }
    }
    return from < 0 ? kept : kept + this.text.slice(from, this.end);
  }

  private bitAt(index: number): number {
    const slot = this.lines[index]! % LINE;
    return slot === 0 ? 0 : 1 << (slot - 1);
  }

  private startAt(index: number): number {
    return index < this.lines.length ? Math.floor(this.lines[index]! / LINE) : this.end;
  }

  private isNamed(index: number, name: string): boolean {
    const start = this.startAt(index);
    return this.text.charCodeAt(start + name.length) === COLON && sameName(this.text, start, name);
  }
}

function joined(before: string | undefined, value: string, name: string): string {
  return before === undefined ? value : `${before}${name === 'cookie' ? ';' : ','} ${value}`;
}

function sameName(text: string, start: number, name: string): boolean {
  for (let index = 0; index < name.length; index += 1) {
    if (lowerCase(text.charCodeAt(start + index)) !== name.charCodeAt(index)) return false;
  }
  return true;
}

function lowerCase(code: number): number {
  return code >= 65 && code <= 90 ? code | 32 : code;
}

export interface FieldLimits {
  readonly fieldBytes: number;
  readonly fieldLines: number;
}

/** Why a head is rejected. */
export type Rejected = 'malformed' | 'tooLarge';

/** The bytes of a text in latin1, each at the place of its letter and `offset`: they are scanned in half of the time. */
export interface Source {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/** A copy, for a text whose bytes are not at hand. */
export function sourceOf(text: string): Source {
  return { bytes: Buffer.from(text, 'latin1'), offset: 0 };
}

/**
 * Scans the field lines that begin at `from` and end with an empty line at `end - 2`.
 *
 * @param isValue the bytes that a value may have
 * @returns why not, when a line is not to be trusted
 */
export function scanFields(
  text: string,
  from: number,
  end: number,
  limits: FieldLimits,
  isValue: Uint8Array = isValueCode,
  { bytes, offset }: Source = sourceOf(text),
): FieldLines | Rejected {
  if (end - from > limits.fieldBytes) return 'tooLarge';
  const lines = new FieldLines(text, end - 2);
  const last = end - 2 + offset;
  let at = from + offset;
  while (at < last) {
    if (lines.count === limits.fieldLines) return 'tooLarge';
    const start = at;
    let hash = 0;
    let code = bytes[at]!;
    // A line that begins with white space is an obsolete fold: no token, so it ends here as well.
    while (isTokenCode[code] === 1) {
      hash = step(hash, code);
      at += 1;
      code = bytes[at]!;
    }
    if (code !== COLON || at === start) return 'malformed';
    const slot = SLOT_OF[hash % SLOTS]!;
    lines.add(start - offset, slot !== 0 && isNamed(bytes, start, at, NAMES[slot - 1]!) ? slot : 0);
    do {
      at += 1;
      code = bytes[at]!;
    } while (isValue[code] === 1);
    if (code !== CR || bytes[at + 1] !== LF) return 'malformed';
    at += 2;
  }
  return at === last ? lines : 'malformed';
}

function isNamed(bytes: Uint8Array, start: number, end: number, name: string): boolean {
  if (name.length !== end - start) return false;
  for (let index = 0; index < name.length; index += 1) {
    if (lowerCase(bytes[start + index]!) !== name.charCodeAt(index)) return false;
  }
  return true;
}

/**
 * Where a head ends: the place behind its empty line, -1 while it is not whole, -2 when a line ends with a bare LF, which
 * no later byte can fix. `from` is where its last unread part begins.
 */
export function endOfHead(text: string, from: number): number {
  let at = text.indexOf('\n', from);
  while (at >= 0) {
    if (text.charCodeAt(at - 1) !== CR) return -2;
    if (text.charCodeAt(at - 2) === LF) return at + 1;
    at = text.indexOf('\n', at + 1);
  }
  return -1;
}

/** The comma-separated tokens of a field, in lower case. */
export function tokens(value: string | undefined): string[] {
  return value === undefined ? [] : value.split(',').map((token) => withoutSpace(token).toLowerCase());
}

/** The digits of a Content-Length; undefined for anything else, and for what no number holds exactly. */
export function exactLength(value: string): number | undefined {
  if (value.length === 0 || value.length > 16) return undefined;
  let length = 0;
  for (let at = 0; at < value.length; at += 1) {
    const digit = value.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return undefined;
    length = length * 10 + digit;
  }
  return Number.isSafeInteger(length) ? length : undefined;
}

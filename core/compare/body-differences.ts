import { Differences } from './difference';
import { readField } from './header-fields';
import { Cuts, compareJson } from './json-differences';
import { ParsedJson, parseJson, parseJsonLines } from './json-values';
import type { ComparedResponse, Decode, DecodedBody } from './response';

/** How bodies are read. */
export interface BodyReading {
  readonly decode: Decode;
  /** Of a body without its coding. What is behind it is not compared, and the comparison says so. */
  readonly maxBodyBytes: number;
}

/** RFC 9110 has no limit; no server uses more than two. */
const MAX_CODINGS = 3;
/** Each line of a text is a field of its own until here. */
const MAX_LINES = 1_000;
const BODY = 'body';

interface ReadBody extends DecodedBody {
  readonly type: string;
  readonly charset: string;
}

interface PerSide<T> {
  readonly source: T;
  readonly target: T;
}

/** What differs between two bodies: of JSON by field, of a text by line, of anything else as a whole. */
export function compareBodies(both: PerSide<ComparedResponse>, reading: BodyReading, into: Differences): void {
  if (isSameAsSent(both)) {
    if (both.source.isBodyCut || both.target.isBodyCut) into.isWhole = false;
    return;
  }
  const source = readBody(both.source, reading, into);
  const target = readBody(both.target, reading, into);
  if (source.isCut || target.isCut) into.isWhole = false;
  if (isSameBytes(source, target)) return;
  const [one, other] = [readText(source), readText(target)];
  if (one === undefined || other === undefined) {
    into.add(BODY, 'changed', describeBytes(source.bytes), describeBytes(target.bytes));
    return;
  }
  const isJson = compareAsJson({ source, target }, { source: one, target: other }, into);
  if (!isJson) compareLines(one, other, { source: source.isCut, target: target.isCut }, into);
}

/** Most bodies are equal: then nothing is decoded. */
function isSameAsSent({ source, target }: PerSide<ComparedResponse>): boolean {
  const [one, other] = [readField(source.fields, 'content-encoding'), readField(target.fields, 'content-encoding')];
  return one === other && source.body.length === target.body.length && startsAlike(source.body, target.body);
}

function startsAlike(one: Uint8Array, other: Uint8Array): boolean {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at += 1) if (one[at] !== other[at]) return false;
  return true;
}

/** Of what breaks off: as far as it goes. */
function isSameBytes(source: DecodedBody, target: DecodedBody): boolean {
  const [one, other] = [source.bytes.length, target.bytes.length];
  const isLong = (one <= other || target.isCut) && (other <= one || source.isCut);
  return isLong && startsAlike(source.bytes, target.bytes);
}

function readBody(response: ComparedResponse, { decode, maxBodyBytes }: BodyReading, into: Differences): ReadBody {
  const [type = '', ...parameters] = (readField(response.fields, 'content-type') ?? '').toLowerCase().split(';');
  const charset = /charset\s*=\s*"?([\w:.-]+)/.exec(parameters.join(';'))?.[1] ?? 'utf-8';
  const codings = (readField(response.fields, 'content-encoding') ?? '').toLowerCase().split(',');
  let body: DecodedBody = { bytes: response.body, isCut: response.isBodyCut ?? false };
  const known = codings.map((coding) => coding.trim()).filter((coding) => coding !== '' && coding !== 'identity');
  for (const coding of known.slice(-MAX_CODINGS).reverse()) {
    const decoded = body.bytes.length === 0 ? body : decode(body, coding, maxBodyBytes);
    if (!decoded) {
      // As it was sent. What was in it is not known.
      into.isWhole = false;
      break;
    }
    body = decoded;
  }
  const isLong = body.bytes.length > maxBodyBytes;
  return { bytes: body.bytes.subarray(0, maxBodyBytes), isCut: body.isCut || isLong, type: type.trim(), charset };
}

/** @returns undefined of what is no text */
function readText({ bytes, isCut, charset }: ReadBody): string | undefined {
  try {
    const text = new TextDecoder(charset, { fatal: true }).decode(bytes, { stream: isCut });
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

function compareAsJson(bodies: PerSide<ReadBody>, texts: PerSide<string>, into: Differences): boolean {
  const source = readJson(bodies.source, texts.source);
  const target = source && readJson(bodies.target, texts.target);
  if (!source || !target) return false;
  compareJson(source.value, target.value, BODY, { source: source.isCut, target: target.isCut }, into);
  return true;
}

/** Also where a server does not say that it is. */
function readJson({ type, isCut }: ReadBody, text: string): ParsedJson | undefined {
  if (/ndjson|jsonl|json-lines/.test(type)) return parseJsonLines(text, isCut);
  return /json/.test(type) || /^\s*[[{]/.test(text) ? parseJson(text, isCut) : undefined;
}

/** Texts with the same number of lines line by line, so that a line which always differs hides no other. */
function compareLines(source: string, target: string, cuts: Cuts, into: Differences): void {
  const [one, other] = [source.split('\n'), target.split('\n')];
  if (cuts.source) one.pop();
  if (cuts.target) other.pop();
  const isSameLength = one.length === other.length || (cuts.source && one.length < other.length);
  if (!isSameLength && !(cuts.target && other.length < one.length)) {
    into.add(`${BODY} lines`, 'changed', one.length, other.length);
    return;
  }
  const lines = Math.min(one.length, other.length);
  for (let index = 0; index < lines; index += 1) {
    if (one[index] === other[index]) continue;
    const field = index < MAX_LINES ? `${BODY} line ${index + 1}` : `${BODY} line ${MAX_LINES} and more`;
    into.add(field, 'changed', one[index], other[index]);
  }
}

const SHOWN_BYTES = 16;

function describeBytes(bytes: Uint8Array): string {
  const first = Array.from(bytes.subarray(0, SHOWN_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return `${bytes.length.toLocaleString('en-US')} bytes: ${first}${bytes.length > SHOWN_BYTES ? ' …' : ''}`;
}

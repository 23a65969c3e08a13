/** A message as it stood on the wire, read with no mercy: what this reader takes no one can read in two ways. */
export interface Message {
  readonly startLine: string;
  /** Lower-case names, in the order of the wire. */
  readonly fields: readonly Field[];
  readonly body: string;
  readonly trailers: readonly Field[];
}

export type Field = readonly [name: string, value: string];

/** What the first line and the fields do not say about the end of a message. */
export type Ending = 'noBody' | 'byFraming' | 'byFramingOrClose';

export class NotStrict extends Error {}

const FIELD_LINE =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*$/;

export function listValues(fields: readonly Field[], name: string): string[] {
  return fields.filter(([each]) => each === name).map(([, value]) => value);
}

/**
 * Reads one message from latin1 text.
 *
 * @returns undefined while it is not whole
 * @throws NotStrict when it could be read in another way, or not at all
 */
export function readMessage(
  text: string,
  from: number,
  findEnding: (startLine: string) => Ending,
  isClosed: boolean,
): { message: Message; next: number } | undefined {
  const head = readHead(text, from);
  if (!head) return undefined;
  const { startLine, fields } = head;
  const [coding, ...codings] = listValues(fields, 'transfer-encoding');
  const lengths = listValues(fields, 'content-length');
  const ending = findEnding(startLine);
  if (ending === 'noBody') return { message: { startLine, fields, body: '', trailers: [] }, next: head.next };
  if (codings.length > 0 || lengths.length > 1 || (coding !== undefined && lengths.length > 0))
    throw new NotStrict(`two framings: ${JSON.stringify(fields)}`);
  if (coding !== undefined) return readChunked(text, head, coding);
  if (lengths[0] === undefined) return readUnframed(text, head, ending, isClosed);
  if (!/^\d+$/.test(lengths[0])) throw new NotStrict(`content-length: ${lengths[0]}`);
  const next = head.next + Number(lengths[0]);
  if (text.length < next) return undefined;
  return { message: { startLine, fields, body: text.slice(head.next, next), trailers: [] }, next };
}

interface Head {
  readonly startLine: string;
  readonly fields: readonly Field[];
  readonly next: number;
}

function readHead(text: string, from: number): Head | undefined {
  const end = text.indexOf('\r\n\r\n', from);
  if (end < 0) return undefined;
  const [startLine = '', ...lines] = text.slice(from, end).split('\r\n');
  if (/[\r\n\0]/.test(startLine)) throw new NotStrict(`first line: ${JSON.stringify(startLine)}`);
  return { startLine, fields: lines.map(readField), next: end + 4 };
}

function readField(line: string): Field {
  const match = FIELD_LINE.exec(line);
  if (!match) throw new NotStrict(`field line: ${JSON.stringify(line)}`);
  return [(match[1] ?? '').toLowerCase(), match[2] ?? ''];
}

function readUnframed(text: string, head: Head, ending: Ending, isClosed: boolean) {
  const { startLine, fields } = head;
  if (ending === 'byFraming') return { message: { startLine, fields, body: '', trailers: [] }, next: head.next };
  if (!isClosed) return undefined;
  return { message: { startLine, fields, body: text.slice(head.next), trailers: [] }, next: text.length };
}

function readChunked(text: string, head: Head, coding: string) {
  if (coding !== 'chunked') throw new NotStrict(`transfer-encoding: ${coding}`);
  const { startLine, fields } = head;
  let body = '';
  for (let at = head.next; ;) {
    const lineEnd = text.indexOf('\n', at);
    if (lineEnd < 0) return undefined;
    const line = text.slice(at, lineEnd + 1);
    if (!/^[0-9a-f]{1,13}\r\n$/i.test(line)) throw new NotStrict(`chunk size: ${JSON.stringify(line)}`);
    const size = parseInt(line, 16);
    if (size === 0) {
      const last = readTrailers(text, lineEnd + 1);
      return last && { message: { startLine, fields, body, trailers: last.trailers }, next: last.next };
    }
    at = lineEnd + 1 + size + 2;
    if (text.length < at) return undefined;
    if (text.slice(at - 2, at) !== '\r\n')
      throw new NotStrict(`behind a chunk: ${JSON.stringify(text.slice(at - 2, at))}`);
    body += text.slice(lineEnd + 1, at - 2);
  }
}

function readTrailers(text: string, from: number): { trailers: Field[]; next: number } | undefined {
  if (text.startsWith('\r\n', from)) return { trailers: [], next: from + 2 };
  const end = text.indexOf('\r\n\r\n', from);
  if (end < 0) return undefined;
  return { trailers: text.slice(from, end).split('\r\n').map(readField), next: end + 4 };
}

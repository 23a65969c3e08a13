import type { Random } from './random';

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND'] as const;
const HOSTS = ['a', 'a.example', 'a.example:8080', '192.0.2.1', '[::1]:81', 'A_b-c.Example'] as const;
const PATHS = ['', 'a', 'a/b/', '%00%2f', '..//.', 'a;b=c', "a'(b)*,", '@:'] as const;
const QUERIES = ['', '?', '?a=b&c', '?a=%26', '?http://b/?'] as const;
const NAMES = [
  'Accept',
  'X-A',
  'x-b',
  'Cookie',
  'Authorization',
  'X-Forwarded-For',
  "!#$%&'*+-.^_`|~9",
  'Via',
] as const;
const VALUES = [
  '',
  'a',
  'a b',
  'a\tb',
  '"q; \\" q"',
  'caf\xc3\xa9',
  '\xff',
  'a, b,, c',
  ':',
  '0',
  'chunked',
  '5',
] as const;
const CONNECTIONS = ['keep-alive', 'Keep-Alive, x-a', 'x-b', 'x-a , X-B', 'cookie', 'te'] as const;
/** Without Proxy-Connection, which Node takes for Connection. */
const HOP_FIELDS = ['Keep-Alive: timeout=5', 'TE: trailers', 'TE: gzip', 'Upgrade: h2c'] as const;
const EXTENSIONS = ['', '', '', ';a=b', ';a', ';a="b;c"'] as const;
const BODIES = [
  '',
  'hello',
  '0\r\n\r\n',
  'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n',
  '\0\xff\r\n\n',
  'x'.repeat(300),
] as const;

/** One request as bytes, such that every recipient must take it. */
export function validRequest(random: Random): string {
  const host = random.pick(HOSTS);
  const lines = random.several(0, 5, () => field(random));
  if (random.once(4)) lines.push(`Connection: ${random.pick(CONNECTIONS)}`);
  if (random.once(6)) lines.push(random.pick(HOP_FIELDS));
  const { framing, body } = content(random);
  if (framing !== '') lines.push(framing);
  const at = random.below(lines.length + 1);
  lines.splice(at, 0, `${random.pick(['Host', 'host', 'HOST'])}:${random.pick(['', ' ', ' \t'])}${host}`);
  const empty = random.once(10) ? '\r\n' : '';
  return `${empty}${requestLine(random, host)}\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}

function requestLine(random: Random, host: string): string {
  const method = random.pick(METHODS);
  if (method === 'OPTIONS' && random.once(2)) return 'OPTIONS * HTTP/1.1';
  const target = `/${random.pick(PATHS)}${random.pick(QUERIES)}`;
  return `${method} ${random.once(8) ? `http://${host}` : ''}${target} HTTP/1.1`;
}

function field(random: Random): string {
  const [before, behind] = [random.pick(['', ' ', '\t', '  ']), random.pick(['', '', ' ', '\t'])];
  return `${random.pick(NAMES)}:${before}${random.pick(VALUES)}${behind}`;
}

function content(random: Random): { framing: string; body: string } {
  const body = random.pick(BODIES);
  if (random.once(2)) return { framing: '', body: '' };
  if (random.once(2)) return { framing: `${random.pick(['Content-Length', 'content-length'])}: ${body.length}`, body };
  const framing = `${random.pick(['Transfer-Encoding', 'transfer-encoding'])}: ${random.pick(['chunked', 'Chunked'])}`;
  return { framing, body: chunks(random, body) };
}

/** A body in chunks of any sizes, with what may stand beside them. */
export function chunks(random: Random, body: string): string {
  let text = '';
  for (let at = 0; at < body.length;) {
    const size = 1 + random.below(body.length - at);
    const written = random.pick(['', '0', '00']) + size.toString(16);
    const line = random.once(2) ? written.toUpperCase() : written;
    text += `${line}${random.pick(EXTENSIONS)}\r\n${body.slice(at, at + size)}\r\n`;
    at += size;
  }
  const trailers = random.once(4) ? `X-Sum: ${random.pick(VALUES)}\r\n` : '';
  return `${text}${random.pick(['0', '000'])}${random.pick(EXTENSIONS)}\r\n${trailers}\r\n`;
}

/** One response as bytes, such that every recipient must take it. */
export function validResponse(random: Random): string {
  const interim = random.once(6) ? `HTTP/1.1 ${random.pick([100, 102, 103])} x\r\nLink: </a>\r\n\r\n` : '';
  const status = random.pick([200, 200, 200, 201, 204, 304, 404, 500, 503]);
  const lines = random.several(0, 4, () => field(random));
  if (random.once(6)) lines.push(`Connection: ${random.pick(['close', 'keep-alive', 'x-a'])}`);
  const { framing, body } = status === 204 || status === 304 ? { framing: '', body: '' } : content(random);
  lines.push(framing === '' && status !== 204 && status !== 304 ? 'Content-Length: 0' : framing);
  const head = [`HTTP/1.1 ${status} ${random.pick(['OK', '', 'Not so'])}`, ...lines.filter((line) => line !== '')];
  return `${interim}${head.join('\r\n')}\r\n\r\n${body}`;
}

/** Lines that have made two readers disagree before. */
const EVIL_LINES = [
  'Content-Length: 0',
  'Content-Length: 5',
  'Content-Length: +5',
  'Content-Length: 5, 5',
  'Content-Length: 0x5',
  'Content-Length : 5',
  'Content-Length:',
  'Content_Length: 5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding:\x0bchunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, gzip',
  'Transfer-Encoding: "chunked"',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding:',
  ' Transfer-Encoding: chunked',
  'X: a\nTransfer-Encoding: chunked',
  'X: a\rTransfer-Encoding: chunked',
  'X: a\r\n\tTransfer-Encoding: chunked',
  'Host: b',
  'Host:',
  'Connection: host',
  'Connection: content-length, transfer-encoding',
  'Connection: close',
  ': a',
  'X',
  '',
  '\0',
] as const;

/** Framings as they should be, where there is one already or where there should be none. */
const FRAMING_LINES = ['Content-Length: 0', 'Content-Length: 5', 'Transfer-Encoding: chunked', 'Host: a'] as const;

const EVIL_BYTES = [
  '\r',
  '\n',
  '\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '\x0b',
  '\x7f',
  '\x85',
  '\xa0',
  '\xff',
  '0',
  '-',
  '+',
  '#',
  '_',
] as const;

const MUTATIONS: readonly ((random: Random, bytes: string) => string)[] = [
  (random, bytes) => spliced(bytes, random.below(bytes.length), 1, ''),
  (random, bytes) => spliced(bytes, random.below(bytes.length), 0, random.pick(EVIL_BYTES)),
  (random, bytes) => spliced(bytes, random.below(bytes.length), 1, random.pick(EVIL_BYTES)),
  (random, bytes) => spliced(bytes, random.below(bytes.length), 1, random.bytes(1)),
  (random, bytes) => atLineEnd(random, bytes, (at) => spliced(bytes, at, 2, '\n')),
  (random, bytes) => atLineEnd(random, bytes, (at) => spliced(bytes, at, 0, random.pick(EVIL_BYTES))),
  evilLine,
  evilLine,
  evilLine,
  evilLine,
  framingLine,
  framingLine,
  (random, bytes) =>
    atLineEnd(random, bytes, (at) =>
      spliced(bytes, at + 2, 0, bytes.slice(bytes.lastIndexOf('\r\n', at - 1) + 2, at + 2)),
    ),
  (random, bytes) =>
    bytes.replace(/\d+/g, (digits) => (random.once(3) ? String(Number(digits) + random.below(4) - 1) : digits)),
  (random, bytes) =>
    bytes.replace('HTTP/1.1', random.pick(['HTTP/1.0', 'HTTP/1.1 ', 'HTTP/2.0', 'http/1.1', 'HTTP/1.10'])),
  (random, bytes) =>
    bytes.replace(/chunked/i, random.pick(['chunked, chunked', 'identity', 'chunked\x0c', ' chunked', 'cow'])),
  (random, bytes) => bytes.slice(0, 1 + random.below(bytes.length)),
];

function evilLine(random: Random, bytes: string): string {
  return inHead(random, bytes, random.pick(EVIL_LINES));
}

function framingLine(random: Random, bytes: string): string {
  return inHead(random, bytes, random.pick(FRAMING_LINES));
}

/** A line more in the first head, anywhere behind its first line. */
function inHead(random: Random, bytes: string, line: string): string {
  const end = bytes.indexOf('\r\n\r\n');
  return end < 0 ? bytes : atLineEnd(random, bytes.slice(0, end + 2), (at) => spliced(bytes, at, 0, `\r\n${line}`));
}

/** The bytes with one to three things wrong, or merely odd. */
export function mutated(random: Random, bytes: string): string {
  let result = bytes;
  for (let left = random.pick([1, 1, 1, 2, 3]); left > 0 && result.length > 0; left -= 1)
    result = random.pick(MUTATIONS)(random, result);
  return result;
}

/** What a careless reader takes again and again from each of its places. */
const LONG_PARTS = [
  ' ',
  '\t',
  ',',
  ', a',
  ';',
  ';a',
  '"',
  '\\',
  'a',
  '0',
  ':',
  '\r\n',
  'X: a\r\n',
  '\x01',
  '\n',
] as const;

/** The bytes with a long run of one thing in them, within what a head may have. */
export function stretched(random: Random, bytes: string): string {
  const part = random.pick(LONG_PARTS);
  const run = part.repeat(Math.floor((4_000 + random.below(56_000)) / part.length));
  const at = random.below(bytes.length + 1);
  return random.once(2) ? inHead(random, bytes, `${random.pick(STRETCHED)}: a${run}b`) : spliced(bytes, at, 0, run);
}

const STRETCHED = ['Connection', 'Upgrade', 'Transfer-Encoding', 'TE', 'Keep-Alive', 'Content-Type', 'X-A'] as const;

function spliced(bytes: string, at: number, removed: number, inserted: string): string {
  return bytes.slice(0, at) + inserted + bytes.slice(at + removed);
}

function atLineEnd(random: Random, bytes: string, change: (at: number) => string): string {
  const ends = [...bytes.matchAll(/\r\n/g)].map(({ index }) => index);
  return ends.length === 0 ? bytes : change(random.pick(ends));
}

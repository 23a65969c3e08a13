import { isGrpcContent, GrpcMessages } from '../../proxy/data-plane/streams/grpc';
import { addBlock, buildFieldBlock, emptyFields } from '../../proxy/data-plane/http2/fields';
import { Ahead } from '../../proxy/data-plane/http1/message/read-ahead';
import { ResponseReader } from '../../proxy/data-plane/http1/message/response-reader';
import { readResponseHead } from '../../proxy/data-plane/http1/message/response-head';
import { isTrailer } from '../../proxy/data-plane/fields/trailers';
import { ChunkedDecoder } from '../../proxy/data-plane/http1/message/chunked';
import { isHost, readRequestFields } from '../../proxy/data-plane/fields/request-fields';
import { Http1Head } from '../../proxy/data-plane/http1/message/request-head';
import { RequestReader } from '../../proxy/data-plane/http1/message/request-reader';
import { EventScanner } from '../../proxy/data-plane/streams/event-scanner';
import { trustingLimits } from '../../proxy/data-plane/contract/limits';
import { FrameScanner } from '../../proxy/data-plane/websocket/frame-scanner';
import { acceptKey, isAccepted } from '../../proxy/data-plane/websocket/handshake';
import type { RequestHead } from '../../proxy/data-plane/contract/data-plane';
import type { Transport } from '../../proxy/data-plane/contract/transport';
import { withoutQuotes } from '../../proxy/session-store/session-store';

/**
 * One header of 60 kB stopped everybody for seconds: a regular expression tried each of its spaces as a start. What a peer
 * sends may cost time in proportion to its bytes, and no more. Judged by how the time grows, not by the time.
 */

const KIB = 1024;
const SIZES = [4 * KIB, 16 * KIB, 64 * KIB] as const;
/** Sixteen times the bytes are sixteen times the work; what is quadratic takes 256 times as long. */
const MAX_GROWTH = 64;
/** A busy machine lengthens some rounds, never all of them: there are this many at least, and more within a time. */
const ROUNDS = 3;
const MORE_WITHIN_MS = 60_000;
const MIN_MS = 0.1;

const LIMITS = trustingLimits({ requestLineBytes: 2 ** 20, fieldBytes: 2 ** 20, fieldLines: 2 ** 20 });
const WIRE = { peer: { address: '192.0.2.1', port: 1 }, isTls: false } as Transport;
const SINK = { bodyReceived: () => undefined, bodyEnded: () => undefined };
const REASONS = { ...SINK, interim: () => undefined, headRead: () => undefined, deviates: () => undefined };

const spaces = (size: number) => ' '.repeat(size);
const filled = (part: string, size: number) => part.repeat(Math.floor(size / part.length));

/** What is measured, once for each size: made before the clock runs. */
type Parser = (size: number) => () => void;

const requestFields =
  (lines: (size: number) => string): Parser =>
  (size) => {
    const text = `Host: a\r\n${lines(size)}\r\n\r\n`;
    return () => void readRequestFields(text, LIMITS);
  };

const responseHead =
  (lines: (size: number) => string): Parser =>
  (size) => {
    const text = `HTTP/1.1 200 OK\r\n${lines(size)}\r\n\r\n`;
    return () => void readResponseHead(text, 'GET', LIMITS);
  };

/** The same bytes in reads of one. */
function byteByByte(bytes: Buffer, read: (from: number, to: number) => void): void {
  for (let at = 0; at < bytes.length; at += 1) read(at, at + 1);
}

const requestBytes =
  (text: (size: number) => string): Parser =>
  (size) => {
    const bytes = Buffer.from(text(size), 'latin1');
    return () => {
      const reader = new RequestReader(LIMITS, WIRE);
      byteByByte(bytes, (from, to) => void reader.read(bytes, from, to));
    };
  };

const responseBytes =
  (text: (size: number) => string): Parser =>
  (size) => {
    const bytes = Buffer.from(text(size), 'latin1');
    return () => {
      const reader = new ResponseReader(LIMITS, REASONS);
      reader.begin('GET');
      byteByByte(bytes, (from, to) => void reader.read(bytes.subarray(from, to), 1));
    };
  };

const chunks =
  (text: (size: number) => string, piece: number): Parser =>
  (size) => {
    const bytes = Buffer.from(text(size), 'latin1');
    return () => {
      const decoder = new ChunkedDecoder(LIMITS);
      for (let at = 0; at < bytes.length; at += piece)
        decoder.decode(bytes, at, Math.min(bytes.length, at + piece), SINK);
    };
  };

const manyLines = (size: number) => Array.from({ length: size / 16 }, (_, index) => `X-${index}: abcdef`).join('\r\n');

function upgradeAccepted(size: number): () => void {
  const list = Array.from({ length: size / 8 }, (_, index) => `x-${index}`).join(',');
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';
  const asked: Record<string, string> = { 'sec-websocket-key': key, 'sec-websocket-extensions': list };
  const head = { field: (name: string) => asked[name] } as RequestHead;
  const fields = `upgrade: websocket\r\nsec-websocket-accept: ${acceptKey(key)}\r\nsec-websocket-extensions: ${list}\r\n`;
  return () => {
    if (!isAccepted(head, fields)) throw new Error('not accepted');
  };
}

/** All fields of one head, by their names. */
function record(size: number): () => void {
  const fields = readRequestFields(`Host: a\r\n${manyLines(size)}\r\n\r\n`, LIMITS);
  if (!('lines' in fields)) throw new Error('refused');
  return () => void new Http1Head('GET', '/', '1.1', undefined, fields, WIRE).headers;
}

/** Requests that were sent ahead are taken one after the other from the front. */
function servedAhead(size: number): () => void {
  const all = Buffer.alloc(size);
  return () => {
    const ahead = new Ahead();
    ahead.add(all);
    for (let piece = ahead.take(); piece !== undefined && piece.length > 16; piece = ahead.take())
      ahead.putBack(piece.subarray(16));
  };
}

const scanned =
  (part: readonly number[], scan: () => (bytes: Buffer) => void): Parser =>
  (size) => {
    const bytes = Buffer.concat(Array.from({ length: Math.floor(size / part.length) }, () => Buffer.from(part)));
    return () => {
      const take = scan();
      byteByByte(bytes, (from, to) => take(bytes.subarray(from, to)));
    };
  };

const block =
  (name: string): Parser =>
  (size) => {
    const raw = Array.from({ length: size / 16 }, () => [name, 'abcdefgh']).flat();
    return () =>
      void addBlock(
        emptyFields(),
        buildFieldBlock(raw, () => true),
      );
  };

const PARSERS: Record<string, Parser> = {
  'spaces within Connection': requestFields((size) => `Connection: close, a${spaces(size)}b`),
  'spaces within Upgrade': requestFields((size) => `Connection: upgrade\r\nUpgrade: a${spaces(size)}b`),
  'spaces within Transfer-Encoding': requestFields((size) => `Transfer-Encoding: a${spaces(size)}b`),
  'spaces within TE': requestFields((size) => `TE: ${filled(`trailers${spaces(500)}x, `, size)}`),
  'spaces before a value': requestFields((size) => `X:${spaces(size)}b`),
  'commas in Connection': requestFields((size) => `Connection: ${filled(',', size)}`),
  'names in Connection': requestFields((size) => `Connection: ${filled('content-a, ', size)}`),
  'lines of Connection': requestFields((size) => filled('Connection: close\r\n', size).slice(0, -2)),
  'lines of fields': requestFields(manyLines),
  'a Host of dots': (size) => () => void isHost(`${filled('.', size)}!`),
  'an address of colons as Host': (size) => () => void isHost(`[${filled(':', size)}`),
  'all fields of a head': record,
  'an answer with spaces within Connection': responseHead((size) => `Connection: close, a${spaces(size)}b`),
  'an answer with spaces within Transfer-Encoding': responseHead(
    (size) => `Transfer-Encoding: chunked${spaces(size)}b`,
  ),
  'an answer with spaces within Content-Type': responseHead(
    (size) => `Content-Type: text/event-stream${spaces(size)}b`,
  ),
  'an answer with spaces within Keep-Alive': responseHead((size) => `Keep-Alive: timeout${filled(', timeout', size)}`),
  'an answer of folded lines': responseHead((size) => `X: a${filled('\r\n a', size)}`),
  'an answer with a space before a colon': responseHead((size) => `X${spaces(size)}: a`),
  'an answer of bare LFs': responseHead((size) => filled('X: a\n', size).slice(0, -1)),
  'a request, byte by byte': requestBytes((size) => `GET / HTTP/1.1\r\nHost: a\r\nX: ${filled('x', size)}`),
  'a request in lines, byte by byte': requestBytes((size) => `GET / HTTP/1.1\r\n${filled('X: a\r\n', size)}`),
  'a request line, byte by byte': requestBytes((size) => `GET /${filled('x', size)}`),
  'an answer, byte by byte': responseBytes((size) => `HTTP/1.1 200 OK\r\nX: ${filled('x', size)}`),
  'an answer in lines, byte by byte': responseBytes((size) => `HTTP/1.1 200 OK\r\n${filled('X: a\r\n', size)}`),
  'spaces in a chunk’s extension': chunks((size) => filled(`1;a${spaces(250)}=b\r\nx\r\n`, size), size0()),
  'a quoted extension': chunks((size) => filled(`1;a="${'\\"'.repeat(120)}"\r\nx\r\n`, size), size0()),
  'chunks of one byte': chunks((size) => filled('1\r\nx\r\n', size), size0()),
  'chunks of one byte, byte by byte': chunks((size) => filled('1\r\nx\r\n', size), 1),
  'trailers, byte by byte': chunks((size) => `0\r\nX: ${filled('x', size)}`, 1),
  'extensions of a WebSocket': upgradeAccepted,
  'requests sent ahead': servedAhead,
  'frames of a WebSocket, byte by byte': scanned([0x82, 0x84, 1, 2, 3, 4, 5, 6, 7, 8], () => {
    const scanner = new FrameScanner();
    return (bytes) => void scanner.scan(bytes, 'atMessageBoundary');
  }),
  'events, byte by byte': scanned([0x64, 0x3a, 0x0d, 0x0a, 0x0d, 0x0a], () => {
    const scanner = new EventScanner();
    return (bytes) => void scanner.scan(bytes, false);
  }),
  'messages of gRPC, byte by byte': scanned([0, 0, 0, 0, 1, 7], () => {
    const messages = new GrpcMessages();
    return (bytes) => messages.scan(bytes);
  }),
  'spaces in a content type of gRPC': (size) => {
    const type = `application/grpc${spaces(size)}x`;
    return () => void isGrpcContent(type);
  },
  'fields of one name over HTTP/2': block('x'),
  'cookies over HTTP/2': block('cookie'),
  'trailers over HTTP/2': (size) => {
    const fields = Array.from({ length: size / 8 }, () => ['x', 'abcd']).flat();
    return () => void buildFieldBlock(fields, isTrailer);
  },
  'what a session store says': (size) => {
    const reply = `ERR${spaces(size)}x`;
    return () => void withoutQuotes(reply);
  },
};

/** In one read. */
function size0(): number {
  return Number.MAX_SAFE_INTEGER;
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

function parseTime(run: () => void, times: number): number {
  // Who has slept gets the processor for a while: what others do on it then falls between two measurements.
  Atomics.wait(sleeper, 0, 0, 1);
  const startMs = performance.now();
  for (let time = 0; time < times; time += 1) run();
  return performance.now() - startMs;
}

/** By how much the time grows, by all sizes and by the two large ones; as soon as it is little enough, or as it is after many rounds. */
function computeGrowth(parser: Parser): number {
  const runs = SIZES.map((size) => parser(size));
  let times = 1;
  while (parseTime(runs[0]!, times) < MIN_MS) times *= 2;
  const best = runs.map(() => Infinity);
  let growth = Infinity;
  const endMs = performance.now() + MORE_WITHIN_MS;
  for (let round = 0; !(growth < MAX_GROWTH) && (round < ROUNDS || performance.now() < endMs); round += 1) {
    runs.forEach((run, index) => (best[index] = Math.min(best[index]!, parseTime(run, times))));
    growth = Math.max(best[2]! / best[0]!, (4 * best[2]!) / best[1]!);
  }
  return growth;
}

test.each(Object.entries(PARSERS))('sixteen times the bytes take sixteen times as long: %s', (_, parser) => {
  expect(computeGrowth(parser)).toBeLessThan(MAX_GROWTH);
});

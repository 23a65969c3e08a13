import {
  brotliCompressSync as compressBrotli,
  constants,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import { decodeBody } from '../../compare/decode';
import { compareResponses } from '../../core/compare/compare-responses';
import { COMPARE_DEFAULTS } from '../../core/compare/options';
import type { ComparedResponse } from '../../core/compare/response';

const READING = { decode: decodeBody, maxBodyBytes: COMPARE_DEFAULTS.maxBodyBytes };

/** The best one takes seconds. */
const brotliCompressSync = (body: string | Uint8Array) =>
  compressBrotli(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } });
const CODINGS = [
  ['gzip', gzipSync],
  ['deflate', deflateSync],
  ['deflate', deflateRawSync],
  ['br', brotliCompressSync],
  ['zstd', zstdCompressSync],
] as const;
const document = (price: number) =>
  JSON.stringify({ items: Array.from({ length: 10_000 }, (_, id) => ({ id, price, text: `item ${id * 7919}` })) });

function coded(coding: string, body: Uint8Array, isBodyCut = false): ComparedResponse {
  const fields = [
    ['Content-Type', 'application/json'],
    ['Content-Encoding', coding],
  ] as const;
  return { status: 200, fields, body, isBodyCut };
}

const compare = (source: ComparedResponse, target: ComparedResponse) => compareResponses({ source, target }, READING);

test.each(CODINGS)('%s is taken off before bodies are compared', (name, encode) => {
  const plain: ComparedResponse = { ...coded('identity', Buffer.from(document(1))) };
  expect(compare(coded(name, encode(document(1))), plain).byField.size).toBe(0);
  expect([...compare(coded(name, encode(document(2))), plain).byField.keys()]).toEqual(['body.items[*].price']);
});

test.each(CODINGS)('%s that breaks off is compared as far as it goes', (name, encode) => {
  const whole = encode(document(1));
  const cut = coded(name, whole.subarray(0, Math.floor(whole.length / 2)), true);
  const same = compare(cut, coded('identity', Buffer.from(document(1))));
  expect([same.byField.size, same.isWhole]).toEqual([0, false]);
  const other = compare(cut, coded('identity', Buffer.from(document(2))));
  expect([...other.byField.keys()]).toEqual(['body.items[*].price']);
});

test('two codings come off in the order in which they were put on, the last one first', () => {
  const both = coded('br, gzip', gzipSync(brotliCompressSync(document(1))));
  expect(compare(both, coded('identity', Buffer.from(document(1)))).byField.size).toBe(0);
});

test.each([
  ['gzip', gzipSync],
  ['br', brotliCompressSync],
  ['zstd', zstdCompressSync],
] as const)('a %s bomb is decoded no further than what is compared', (name, encode) => {
  const bomb = encode(Buffer.alloc(32 * 1024 * 1024));
  const decoded = decodeBody({ bytes: bomb, isCut: false }, name, READING.maxBodyBytes);
  expect(decoded?.isCut ?? true).toBe(true);
  expect(decoded?.bytes.length ?? 0).toBeLessThanOrEqual(READING.maxBodyBytes);
  const differences = compare(coded(name, bomb), coded(name, encode(Buffer.alloc(100))));
  expect(differences.isWhole).toBe(false);
});

test('what cannot be decoded is compared as it came, and is not whole', () => {
  for (const [coding, bytes] of [
    ['gzip', Buffer.from('no gzip')],
    ['pack200-gzip', Buffer.from('unknown')],
  ] as const) {
    const differences = compare(coded(coding, bytes), coded('identity', Buffer.from('{}')));
    expect([...differences.byField.keys()]).toEqual(['body line 1']);
    expect(differences.isWhole).toBe(false);
  }
});

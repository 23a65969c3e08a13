import { findOperationType } from '../../../../../proxy/data-plane/moves/adapters/graphql-operation';

test.each([
  ['{ a }', undefined, 'query'],
  ['query { a }', undefined, 'query'],
  ['query A { a }', 'A', 'query'],
  ['mutation { a }', undefined, 'mutation'],
  ['subscription { a }', undefined, 'subscription'],
  ['subscription @live { a }', undefined, 'subscription'],
  ['subscription S($a: [Int!]! = [1], $b: I = {c: "}"}) @d(e: {f: 1}) { a }', 'S', 'subscription'],
  ['query A { a } subscription B { b }', 'B', 'subscription'],
  ['query A { a } subscription B { b }', 'A', 'query'],
  ['query A { a } subscription B { b }', undefined, undefined],
  ['query A { a } subscription A { b }', 'A', undefined],
  ['subscription { a }', 'B', undefined],
  ['fragment F on Query { a } subscription { ...F }', undefined, 'subscription'],
  ['subscription { ...F } fragment F on Query { query mutation { subscription } }', undefined, 'subscription'],
  ['# mutation { a }\nsubscription { a }', undefined, 'subscription'],
  ['subscription # {\n{ a(b: "} mutation {") }', undefined, 'subscription'],
  ['subscription { a(b: "\\"} mutation { a }") }', undefined, 'subscription'],
  ['subscription { a(b: """ "} mutation { \\""" } """) } ', undefined, 'subscription'],
  ['subscription { a } mutation { b }', undefined, undefined],
  ['\uFEFF subscription { a }', undefined, 'subscription'],
  ['', undefined, undefined],
  ['subscription', undefined, undefined],
  ['} subscription { a', undefined, undefined],
  ['type Query { a: Int }', undefined, undefined],
])('%s as %s: %s', (document, name, type) => {
  expect(findOperationType(document, name)).toBe(type);
});

test('a long document costs a time that grows with its length alone', () => {
  const long = `subscription { ${'"'.repeat(100_001)} ${'{'.repeat(100_000)} ${'"""'.repeat(50_000)}`;
  const startedMs = performance.now();
  findOperationType(long, undefined);
  expect(performance.now() - startedMs).toBeLessThan(5_000);
});

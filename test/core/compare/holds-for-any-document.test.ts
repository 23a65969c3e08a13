import fc from 'fast-check';
import { compareResponses } from '../../../core/compare/compare-responses';
import { Differences } from '../../../core/compare/difference';
import { compareJson } from '../../../core/compare/json-differences';
import { canonicalText, parseJson } from '../../../core/compare/json-values';
import { COMPARE_DEFAULTS } from '../../../core/compare/options';
import type { ComparedResponse } from '../../../core/compare/response';
import { showValues } from '../../../core/compare/show-value';

const READING = { decode: () => undefined, maxBodyBytes: COMPARE_DEFAULTS.maxBodyBytes };

const WHOLE = { source: false, target: false };
const JSON_FIELDS = [['Content-Type', 'application/json']] as const;
/** As it is after a passage through text: no −0. */
const json = () => fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);

function compare(source: unknown, target: unknown): Differences {
  const differences = new Differences();
  compareJson(source, target, 'body', WHOLE, differences);
  return differences;
}

const respond = (text: string, isBodyCut = false): ComparedResponse => ({
  status: 200,
  fields: JSON_FIELDS,
  body: new TextEncoder().encode(text),
  isBodyCut,
});

/** The same value with the keys of its objects in another order. */
function reverseKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reverseKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).reverse();
  return Object.fromEntries(entries.map(([name, each]) => [name, reverseKeys(each)]));
}

test('a document has no difference from itself, in whatever order its keys are', () => {
  fc.assert(fc.property(json(), (value) => compare(value, reverseKeys(structuredClone(value))).byField.size === 0));
});

test('two documents differ if and only if their canonical texts do', () => {
  fc.assert(
    fc.property(json(), json(), (one, other) => {
      expect(compare(one, other).byField.size === 0).toBe(canonicalText(one) === canonicalText(other));
    }),
  );
});

test('both ways find the same fields: what is missing one way is added the other way', () => {
  const turned = { missing: 'added', added: 'missing', changed: 'changed', type: 'type', order: 'order' } as const;
  fc.assert(
    fc.property(json(), json(), (one, other) => {
      const there = [...compare(one, other).byField].map(([field, { kind }]) => `${turned[kind]} ${field}`);
      const back = [...compare(other, one).byField].map(([field, { kind }]) => `${kind} ${field}`);
      const fields = (list: readonly string[]) => [...new Set(list.map((each) => each.replace(/^\S+ /, '')))].sort();
      expect(fields(there)).toEqual(fields(back));
    }),
  );
});

test('one value that is changed at a known place is found at its field, and nowhere else', () => {
  const path = fc.array(fc.constantFrom('a', 'b', 'items', 'name of it'), { maxLength: 5 });
  fc.assert(
    fc.property(path, json(), (names, beside) => {
      const build = (leaf: number) =>
        names.reduceRight<unknown>((inner, name) => ({ [name]: inner, beside }), { leaf, beside });
      const fields = [...compare(build(1), build(2)).byField.keys()];
      expect(fields).toHaveLength(1);
      expect(fields[0]).toMatch(/\.leaf$/);
    }),
  );
});

test('a permutation of an array whose items differ is one difference, of the array', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer(), { minLength: 2 }), (items) => {
      const turned = [...items.slice(1), items[0]];
      expect([...compare({ items }, { items: turned }).byField]).toEqual([
        ['body.items', expect.objectContaining({ kind: 'order' })],
      ]);
    }),
  );
});

test('a document that breaks off anywhere has no difference from the whole one', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.array(json()), fc.dictionary(fc.string(), json())),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (value, part) => {
        const text = JSON.stringify(value);
        const bytes = new TextEncoder().encode(text);
        const cut = { ...respond(''), body: bytes.subarray(0, Math.floor(bytes.length * part)), isBodyCut: true };
        const whole = respond(text);
        for (const pair of [
          { source: cut, target: whole },
          { source: whole, target: cut },
          { source: cut, target: cut },
        ]) {
          expect([...compareResponses(pair, READING).byField.keys()]).toEqual([]);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('what is read of a document that breaks off is a part of it', () => {
  const text = '{"a":[1,{"b":"x\\"y"},[]],"c":{"d":null}}';
  for (let at = 0; at < text.length; at += 1) {
    const parsed = parseJson(text.slice(0, at), true);
    expect(parsed === undefined).toBe(at === 0);
  }
});

test('any two responses can be compared and shown', () => {
  const response = fc.record({
    status: fc.integer({ min: 100, max: 599 }),
    fields: fc.array(fc.tuple(fc.constantFrom('a', 'Set-Cookie', 'Content-Type', 'content-encoding'), fc.string())),
    body: fc.oneof(
      fc.uint8Array(),
      fc.string({ unit: 'binary' }).map((text) => new TextEncoder().encode(text)),
    ),
    isBodyCut: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.option(response), fc.option(response), (source, target) => {
      const pair = { source: source ?? undefined, target: target ?? undefined };
      for (const [field, difference] of compareResponses(pair, READING).byField) {
        const shown = showValues(field, difference);
        expect(JSON.stringify(shown)).not.toMatch(/\\u00[01]/);
      }
    }),
    { numRuns: 500 },
  );
});

import { compareResponses } from '../../../core/compare/compare-responses';
import { COMPARE_DEFAULTS } from '../../../core/compare/options';
import type { ComparedResponse } from '../../../core/compare/response';
import { decodeBody } from '../../../compare/decode';

const READING = { decode: decodeBody, maxBodyBytes: COMPARE_DEFAULTS.maxBodyBytes };

const JSON_TYPE = ['Content-Type', 'application/json'] as const;
const encode = (text: string) => new TextEncoder().encode(text);

function respond(body: unknown, more: Partial<ComparedResponse> = {}): ComparedResponse {
  const isText = typeof body === 'string';
  return {
    status: 200,
    fields: isText ? [] : [JSON_TYPE],
    body: encode(isText ? body : JSON.stringify(body)),
    ...more,
  };
}

/** `kind field`, in their order. */
function compare(source: ComparedResponse | undefined, target: ComparedResponse | undefined): string[] {
  const { byField } = compareResponses({ source, target }, READING);
  return [...byField].map(([field, { kind }]) => `${kind} ${field}`);
}

const compareJson = (source: unknown, target: unknown) => compare(respond(source), respond(target));

describe('status and header fields', () => {
  test('a response that did not come is one difference', () => {
    expect(compare(respond('a'), undefined)).toEqual(['missing response']);
    expect(compare(undefined, respond('a'))).toEqual(['added response']);
    expect(compare(undefined, undefined)).toEqual([]);
  });

  test('names in any case are the same, and the order of lines counts within one name alone', () => {
    const fields = (...lines: [string, string][]) => respond('a', { fields: lines });
    expect(compare(fields(['A', '1'], ['b', '2']), fields(['B', '2'], ['a', ' 1 ']))).toEqual([]);
    expect(compare(fields(['A', '1'], ['a', '2']), fields(['A', '2'], ['a', '1']))).toEqual(['changed header.a']);
    expect(compare(fields(['A', '1']), fields(['A', '1'], ['A', '1']))).toEqual(['changed header.a']);
    expect(compare(fields(['A', '1']), fields(['C', '1']))).toEqual(['missing header.a', 'added header.c']);
  });

  test('what is of the connection, of the moment or of the machine is not compared', () => {
    const names = ['Date', 'Connection', 'Keep-Alive', 'Transfer-Encoding', 'Via', 'Server', 'X-Drainshift-Side'];
    const fields = names.map((name) => [name, 'one'] as const);
    expect(compare(respond('a', { fields }), respond('a'))).toEqual([]);
  });

  test('cookies are compared by name, with their attributes, and not by when they expire', () => {
    const cookies = (...lines: string[]) =>
      respond('a', { fields: lines.map((line) => ['Set-Cookie', line] as const) });
    const one = cookies('sid=1; Path=/; HttpOnly; Expires=Mon, 30 Nov 2026 17:00:00 GMT', 'lang=en');
    const other = cookies('lang=en', 'sid=1; httponly; path=/; expires=Tue, 01 Dec 2026 17:00:00 GMT');
    expect(compare(one, other)).toEqual([]);
    expect(compare(one, cookies('sid=2; Path=/', 'lang=en'))).toEqual([
      'changed header.set-cookie.sid',
      'changed header.set-cookie.sid;attributes',
    ]);
    expect(compare(one, cookies('lang=en'))).toEqual(['missing header.set-cookie.sid']);
  });

  test('what a capture has redacted is not compared', () => {
    const redacted = 'redacted-0123456789abcdef';
    const fields = (value: string) => respond('a', { fields: [['Set-Cookie', value]] });
    expect(compare(fields(redacted), fields('sid=1; Path=/'))).toEqual([]);
    expect(compare(fields(`sid=${redacted}; Path=/`), fields('sid=1; Path=/a'))).toEqual([
      'changed header.set-cookie.sid;attributes',
    ]);
    expect(compareJson({ card: redacted, price: 1 }, { card: '4111', price: 2 })).toEqual(['changed body.price']);
  });
});

describe('JSON', () => {
  test.each<[string, unknown, unknown, string[]]>([
    ['the order of keys', { a: 1, b: 2 }, { b: 2, a: 1 }, []],
    ['a value', { a: { b: 1 } }, { a: { b: 2 } }, ['changed body.a.b']],
    ['a type', { a: 1, b: null, c: [] }, { a: '1', b: 0, c: {} }, ['type body.a', 'type body.b', 'type body.c']],
    ['a field of one side', { a: 1 }, { b: 1 }, ['missing body.a', 'added body.b']],
    ['places', { items: [{ p: 1 }, { p: 2 }] }, { items: [{ p: 1 }, { p: 3 }] }, ['changed body.items[*].p']],
    ['one more', [1, 2], [1, 2, 3], ['added body[*]']],
    ['one less', [1, 2], [2], ['changed body[*]', 'missing body[*]'].slice(0, 1)],
    ['another order', { tags: ['a', 'b'] }, { tags: ['b', 'a'] }, ['order body.tags']],
    ['another order of objects', [{ a: 1, b: 1 }, { a: 2 }], [{ a: 2 }, { b: 1, a: 1 }], ['order body']],
    ['keys that are ids', { users: { 17: 1 } }, { users: { 18: 1 } }, ['missing body.users.{id}']],
    ['odd keys', { 'a b': 1 }, { 'a b': 2 }, ['changed body["a b"]']],
    ['members of prototypes', { constructor: 1 }, { toString: 1 }, ['missing body.constructor', 'added body.toString']],
    ['another kind of document', { a: 1 }, [1], ['type body']],
  ])('%s', (_, source, target, expected) => {
    expect(compareJson(source, target)).toEqual(expected);
  });

  test('items with ids are compared by them: a new order hides no change', () => {
    const items = [
      { id: 1, price: 1 },
      { id: 2, price: 2 },
      { id: 3, price: 3 },
    ];
    const [one, two, three] = items;
    expect(compareJson(items, [three, one, two])).toEqual(['order body']);
    expect(compareJson(items, [three, { id: 1, price: 9 }, two])).toEqual(['order body', 'changed body[*].price']);
    expect(compareJson(items, [{ id: 0, price: 0 }, ...items])).toEqual(['added body[*]']);
    expect(compareJson(items, [one, three])).toEqual(['missing body[*]']);
  });

  test('deep within other arrays items are compared by place alone', () => {
    const nest = (levels: number, inner: unknown): unknown => (levels === 0 ? inner : [nest(levels - 1, inner), 0]);
    expect(compareJson(nest(3, [1, 2]), nest(3, [2, 1]))).toEqual(['order body[*][*][*]']);
    expect(compareJson(nest(9, [1, 2]), nest(9, [2, 1]))).toEqual([`changed body${'[*]'.repeat(10)}`]);
  });

  test('ids that are new in each response are compared by place', () => {
    expect(compareJson([{ id: 'a', price: 1 }], [{ id: 'b', price: 1 }])).toEqual(['changed body[*].id']);
  });

  test('integers that a number cannot hold are not taken for the same', () => {
    const one = respond('{"id":9007199254740993,"n":1.0}');
    expect(compare(one, respond('{"id":9007199254740992,"n":1}'))).toEqual(['changed body.id']);
    expect(compare(one, respond('{"id":9007199254740993,"n":1}'))).toEqual([]);
  });

  test('one value a line', () => {
    const fields = [['Content-Type', 'application/x-ndjson']] as const;
    const body = (text: string) => respond(text, { fields });
    expect(compare(body('{"a":1}\n{"a":2}\n'), body('{"a":1}\n{"a":3}\n'))).toEqual(['changed body[*].a']);
  });

  test('a document of any depth is compared', () => {
    const deep = (inner: string) => respond('['.repeat(20_000) + inner + ']'.repeat(20_000));
    expect(compare(deep('1'), deep('2'))).toEqual(['changed body line 1']);
  });

  test('two documents that have nothing in common fill no table', () => {
    const fields = (name: string) => Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`${name}x${i}y`, i]));
    expect(compareJson(fields('a'), fields('b')).length).toBeLessThanOrEqual(201);
  });
});

describe('texts and bytes', () => {
  test('a text is compared line by line where both have as many', () => {
    expect(compare(respond('a\nb\nc'), respond('a\nx\nc'))).toEqual(['changed body line 2']);
    expect(compare(respond('a\nb'), respond('a'))).toEqual(['changed body lines']);
  });

  test('anything else is compared as a whole', () => {
    const bytes = (...values: number[]) => respond('', { body: Uint8Array.from(values) });
    expect(compare(bytes(0xff, 0), bytes(0xff, 1))).toEqual(['changed body']);
    expect(compare(bytes(0xff, 0), bytes(0xff, 0))).toEqual([]);
  });

  test('an unknown charset makes it bytes', () => {
    const fields = [['Content-Type', 'text/plain; charset=no-such']] as const;
    expect(compare(respond('a', { fields }), respond('b', { fields }))).toEqual(['changed body']);
  });
});

describe('a body that breaks off', () => {
  const cut = (text: string) => respond(text, { isBodyCut: true, ...(/^[[{]/.test(text) && { fields: [JSON_TYPE] }) });

  test.each<[string, ComparedResponse, ComparedResponse, string[]]>([
    ['JSON, in a string', cut('{"a":1,"b":"xy'), respond({ a: 1, b: 'xyz', c: 3 }), []],
    ['JSON, behind a key', cut('{"a":1,"b"'), respond({ a: 2, b: 'xyz' }), ['changed body.a']],
    [
      'JSON, in an array',
      cut('{"items":[{"p":1},{"p":2},{"p'),
      respond({ items: [{ p: 1 }, { p: 3 }, { p: 4 }] }),
      ['changed body.items[*].p'],
    ],
    ['JSON of the target', respond({ a: 1, b: 2 }), cut('{"a":1,'), []],
    ['what only the whole one lacks', cut('{"z":1,"a":1,"b"'), respond({ a: 1, b: 1 }), ['missing body.z']],
    ['both', cut('[1,2,3'), cut('[1,2,'), []],
    ['a text', cut('a\nb\nc'), respond('a\nb\ncd\ne'), []],
    ['a text that differs', cut('a\nx\nc'), respond('a\nb\ncd\ne'), ['changed body line 2']],
    ['a text that is longer than the whole one', cut('a\nb\nc\nd'), respond('a\nb'), ['changed body lines']],
    ['in a character', respond('', { body: encode('é\nü').subarray(0, 4), isBodyCut: true }), respond('é\nü'), []],
    ['nothing of it', cut(''), respond('abc'), []],
  ])('%s', (_, source, target, expected) => {
    expect(compare(source, target)).toEqual(expected);
    expect(compareResponses({ source, target }, READING).isWhole).toBe(false);
  });
});

import { describeComparison } from '../../../core/compare/describe-comparison';
import { CompareOptions } from '../../../core/compare/options';
import type { ComparedResponse } from '../../../core/compare/response';
import { ResponseComparison } from '../../../core/compare/response-comparison';

const begin = (options: Partial<CompareOptions> = {}) => new ResponseComparison(options, () => undefined);
const respond = (body: unknown, fields: ComparedResponse['fields'] = []): ComparedResponse => ({
  status: 200,
  fields: [['Content-Type', 'application/json'], ...fields],
  body: new TextEncoder().encode(JSON.stringify(body)),
});
const GET = (url: string) => ({ method: 'GET', url });

test('each pair is counted under its route and its fields, with the first three examples', () => {
  const comparison = begin();
  for (let id = 1; id <= 5; id += 1) {
    const source = respond({ id, price: 12, at: id });
    comparison.add({
      route: GET(`/items/${id}?page=2`),
      source,
      target: respond({ id, price: '12', at: id }),
      isRepeat: false,
    });
    comparison.add({
      route: GET(`/items/${id}?page=2`),
      source,
      target: respond({ id, price: 12, at: 0 }),
      isRepeat: true,
    });
  }
  comparison.finish();
  const report = comparison.report();
  expect(report).toMatchObject({
    version: 1,
    comparisons: 5,
    whole: 5,
    repeats: 5,
    differ: 5,
    verdict: 'inconclusive',
  });
  expect(report.routes.map(({ route }) => route)).toEqual(['GET /items/{id}']);
  const [price, at] = report.routes[0]?.fields ?? [];
  expect(price).toMatchObject({
    field: 'body.price',
    comparisons: { compared: 5, differ: 5 },
    repeats: { compared: 5, differ: 0 },
    kinds: { type: 5 },
  });
  expect(price?.examples).toHaveLength(3);
  expect(price?.examples[0]).toEqual({ request: 'GET /items/1?page=2', kind: 'type', source: '12', target: '12' });
  expect(at).toMatchObject({ field: 'body.at', finding: 'noise', comparisons: { differ: 0 }, repeats: { differ: 5 } });
});

test('a report is the same as JSON', () => {
  const comparison = begin();
  comparison.add({ route: GET('/'), source: respond([1]), target: undefined, isRepeat: false });
  const report = comparison.report();
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  expect(JSON.parse(JSON.stringify(begin().report()))).toEqual(begin().report());
});

test('credentials stand in no example, and nothing moves the cursor of a terminal', () => {
  const comparison = begin();
  const route = GET('/login/abcdefghijklmnopqrstuvwxyz0123456789abcdef?token=hunter21&page=1');
  const cookie = (value: string) => [['Set-Cookie', `sid=${value}; Path=/`]] as const;
  const secret = (text: string) =>
    respond(
      { password: text, note: `token=${text}`, data: { apiKey: text }, line: `\u001b[2J${text === 'hunter22'}` },
      cookie(text),
    );
  comparison.add({ route, source: secret('hunter22'), target: secret('hunter23'), isRepeat: false });
  const text = JSON.stringify(comparison.report());
  expect(text).toContain('body.password');
  expect(text).not.toMatch(/hunter2\d/);
  expect(text).not.toContain('uvwxyz');
  expect(text).not.toContain('\\u001b');
  expect(describeComparison(comparison.report()).join('')).not.toMatch(/hunter2\d|\u001b/);
});

test('a long value is shown around what differs', () => {
  const comparison = begin();
  const text = (end: string) => respond({ text: `${'x'.repeat(5_000)}${end}${'y'.repeat(5_000)}` });
  comparison.add({ route: GET('/'), source: text('one'), target: text('two'), isRepeat: false });
  const [example] = comparison.report().routes[0]?.fields[0]?.examples ?? [];
  expect(example?.source).toContain('xone');
  expect(example?.target).toContain('xtwo');
  expect(example?.source?.length).toBeLessThanOrEqual(125);
});

test('its memory is bounded: routes, fields and examples that are more are counted together', () => {
  const comparison = begin();
  for (let index = 0; index < 3_000; index += 1) {
    const body = (value: number) => respond({ [`f${index % 1_500}x`]: value, [`g${index}x`]: value, same: 1 });
    const url =
      index < 1_500
        ? `/one/way/to/${index}`
        : `/r${'abcdefghij'[index % 10]}${'z'.repeat(index % 30)}/n${'q'.repeat(Math.floor(index / 300))}`;
    comparison.add({ route: GET(url), source: body(1), target: body(2), isRepeat: false });
    comparison.add({ route: { method: `M${index}`, url }, source: body(1), target: body(2), isRepeat: false });
  }
  const { routes, comparisons } = comparison.report();
  expect(comparisons).toBe(6_000);
  expect(routes.length).toBeLessThanOrEqual(210);
  expect(routes.reduce((sum, { fields }) => sum + fields.length, 0)).toBeLessThanOrEqual(4_000 + routes.length);
  for (const { fields, comparisons: compared } of routes) {
    expect(fields.length).toBeLessThanOrEqual(501);
    for (const field of fields) expect(field.comparisons.differ).toBeLessThanOrEqual(compared);
  }
  expect(JSON.stringify(routes)).toContain('(other fields)');
  expect(routes.map(({ route }) => route)).toContain('GET (other routes)');
});

test('no more of a body is compared than was asked for', () => {
  const comparison = begin({ maxBodyBytes: 1_024 });
  const body = (end: number) => respond({ a: 1, text: 'x'.repeat(2_000), end });
  comparison.add({ route: GET('/'), source: body(1), target: body(2), isRepeat: false });
  comparison.add({ route: GET('/'), source: respond({ a: 1 }), target: respond({ a: 2 }), isRepeat: false });
  const { comparisons, whole, routes } = comparison.report();
  expect([comparisons, whole]).toEqual([2, 1]);
  expect(routes[0]?.fields.map(({ field, comparisons: { differ } }) => [field, differ])).toEqual([['body.a', 1]]);
});

test('an option that breaks its rule is named', () => {
  expect(() => begin({ tolerance: 0, ignore: [''] })).toThrow(
    "'tolerance' must be a number between 0 and 1 (0.001 is 0.1 %), got 0\n'ignore' must be a list of at most 1000 patterns, none of them empty",
  );
});

test('the lines for a terminal have the verdict first, then why, then the fields', () => {
  const comparison = begin();
  for (let index = 0; index < 400; index += 1) {
    const pair = { route: GET(`/items/${index}`), source: respond({ price: 12, at: index }) };
    comparison.add({ ...pair, target: respond({ price: 13, at: index }), isRepeat: false });
    if (index % 2) comparison.add({ ...pair, target: respond({ price: 12, at: 0 }), isRepeat: true });
  }
  comparison.finish();
  const lines = describeComparison(comparison.report());
  expect(lines[0]).toMatch(
    /^roll back: GET \/items\/{id} body\.price: the target differs in 400 of 400 responses, the source from itself in 0 of 200; odds of [\d,]+ : 1 against noise$/,
  );
  expect(lines).toContain(
    '400 responses of the target compared, 400 differ in any field; 200 requests repeated on the source',
  );
  expect(lines.join('\n')).toMatch(
    /differs {2,}GET \/items\/{id} {2,}body\.price {2,}400 of 400 \(100 %\) {2,}0 of 200/,
  );
  expect(lines.join('\n')).toMatch(/noise {2,}GET \/items\/{id} {2,}body\.at {2,}0 of 400 {2,}200 of 200 \(100 %\)/);
});

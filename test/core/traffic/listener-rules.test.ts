import { RuleReading, canCatch, changedRules, otherRules, patternsMeet } from '../../../core/traffic/listener-rules';

const LISTENER = 'arn:listener-rule/app/shop/1/443';
const rule = (id: string, over: Partial<RuleReading> = {}): RuleReading => ({
  arn: `${LISTENER}/${id}`,
  digest: id,
  matchDigest: id,
  priority: 1,
  hosts: [],
  paths: [],
  ...over,
});
const own = rule('own', { priority: 100, hosts: ['shop.example.com'], paths: ['/*'] });

test('a rule can catch our requests when it is tried before ours and shares a host and a path with it', () => {
  expect(canCatch(rule('all'), own)).toBe(true);
  expect(canCatch(rule('same', { hosts: ['SHOP.example.com'], paths: ['/api/*'] }), own)).toBe(true);
  expect(canCatch(rule('wild', { hosts: ['*.example.com'] }), own)).toBe(true);
  expect(canCatch(rule('regex', { hosts: undefined, paths: ['/api'] }), own)).toBe(true);
  expect(canCatch(rule('host', { hosts: ['blog.example.com'] }), own)).toBe(false);
  expect(canCatch(rule('later', { priority: 101 }), own)).toBe(false);
  expect(canCatch(rule('default', { priority: undefined }), own)).toBe(false);
  const narrow = { ...own, paths: ['/shop/*'] };
  expect(canCatch(rule('path', { paths: ['/blog/*'] }), narrow)).toBe(false);
  expect(canCatch(rule('case', { paths: ['/SHOP/*'] }), narrow)).toBe(false);
});

test('one value in common is enough, and a rule of ours without hosts or paths shares all of them', () => {
  const many = rule('many', { hosts: ['blog.example.com', 'shop.example.com'], paths: ['/a', '/b'] });
  expect(canCatch(many, own)).toBe(true);
  expect(canCatch(many, { ...own, hosts: ['x.example.com', 'shop.example.com'], paths: ['/c', '/b'] })).toBe(true);
  expect(canCatch(many, { ...own, hosts: [], paths: [] })).toBe(true);
  expect(canCatch(many, { ...own, hosts: undefined, paths: undefined })).toBe(true);
  expect(canCatch(rule('same place', { priority: 100 }), own)).toBe(false);
});

test('without our own rule every other one counts, and our own never does', () => {
  expect(otherRules([rule('a')], own.arn)).toEqual({ [`${LISTENER}/a`]: '!a' });
  // Whatever is listed first.
  const later = rule('later', { priority: 101 });
  expect(otherRules([later, own], own.arn)).toEqual({ [`${LISTENER}/later`]: 'later' });
});

test('changed rules are listed in order', () => {
  expect(changedRules({ c: '!1', b: 'x' }, { d: '!1', a: 'x' })).toEqual({ ours: ['c', 'd'], foreign: ['a', 'b'] });
});

test('the rules of a smoke-test listener always count', () => {
  expect(canCatch({ ...rule('x'), arn: 'arn:listener-rule/app/shop/1/9202/x', priority: undefined }, own)).toBe(true);
});

test('changes are distinguished: those of rules that can catch our requests, before or after, and those of others', () => {
  const foreign = { hosts: ['blog.example.com'] };
  const before = otherRules([own, rule('a', foreign), rule('b'), rule('c', foreign), rule('d', foreign)], own.arn);
  const after = otherRules(
    [own, rule('a', { ...foreign, digest: '2' }), rule('c', { digest: '2' }), rule('d', foreign), rule('e', foreign)],
    own.arn,
  );
  const arns = (ids: string) => [...ids].map((id) => `${LISTENER}/${id}`);
  expect(changedRules(before, after)).toEqual({ ours: arns('bc'), foreign: arns('ae') });
  expect(changedRules(before, before)).toEqual({ ours: [], foreign: [] });
});

test('a rule whose ARN is a name of Object.prototype is one like any other', () => {
  expect(changedRules({}, JSON.parse('{"__proto__":"!x","constructor":"y"}') as Record<string, string>)).toEqual({
    ours: ['__proto__'],
    foreign: ['constructor'],
  });
});

test('two patterns meet exactly when some text matches both', () => {
  const texts = ['a', 'b'].flatMap((x) => ['', 'a', 'b', 'ab'].flatMap((y) => [x + y, y + x, x + y + x, y + x + y]));
  const matches = (pattern: string, text: string) =>
    new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(text);
  const patterns = ['', 'a', 'b', '?', '*', 'a*', '*b', '?*', 'a?', '*a*', 'ab', '??', '*ab', 'b*a'];
  for (const one of patterns) {
    for (const other of patterns) {
      const expected = ['', ...texts].some((text) => matches(one, text) && matches(other, text));
      expect([one, other, patternsMeet(one, other)]).toEqual([one, other, expected]);
    }
  }
});

import { canonicalizeRule, readRuleProperties } from '../../../core/traffic/rule-properties';

const raw = {
  ServiceToken: 'arn:aws:lambda:eu-central-1:111122223333:function:f',
  ListenerArn: 'listener',
  Priority: '1000',
  PathPatterns: ['/*'],
  SourceGroupArn: 's',
  TargetGroupArn: 't',
  InitialWeights: { Source: '100', Target: '0' },
  StickinessSeconds: '3600',
  StoreBucket: 'store',
};

test('numbers are read as CloudFormation writes them, as text, and as a template has them', () => {
  const expected = {
    listenerArn: 'listener',
    priority: 1000,
    pathPatterns: ['/*'],
    hostHeaders: [],
    groupArns: { source: 's', target: 't' },
    initialWeights: { source: 100, target: 0 },
    stickinessSeconds: 3600,
    requiresTargets: false,
    storeBucket: 'store',
  };
  expect(readRuleProperties(raw)).toEqual(expected);
  const numbers = { Priority: 1000, StickinessSeconds: 3600, InitialWeights: { Source: 100, Target: 0 } };
  expect(readRuleProperties({ ...raw, ...numbers })).toEqual(expected);
  for (const RequiresTargets of ['true', true]) {
    expect(readRuleProperties({ ...raw, RequiresTargets })).toEqual({ ...expected, requiresTargets: true });
  }
});

test('every problem is named with its rule and its value', () => {
  const wrong = {
    ...raw,
    ListenerArn: undefined,
    Priority: '0',
    PathPatterns: '/*',
    InitialWeights: { Source: '1000', Target: '1' },
  };
  expect(() => readRuleProperties(wrong)).toThrow(
    [
      "'ListenerArn' must be a text, got nothing",
      "'Priority' must be an integer from 1 to 50000, got 0",
      '\'PathPatterns\' must be a list of texts, got "/*"',
      "'InitialWeights.source' must be an integer from 0 to 999, got 1000",
    ].join('\n'),
  );
  for (const nothing of [undefined, null, 'text', 7]) {
    expect(() => readRuleProperties(nothing)).toThrow("'ListenerArn' must be a text, got nothing");
  }
});

test('what a deployment decides does not depend on the initial weights or on order', () => {
  const meaning = (over: object) => canonicalizeRule(readRuleProperties({ ...raw, ...over }));
  expect(meaning({ InitialWeights: { Source: 1, Target: 1 }, StoreBucket: 'other' })).toBe(meaning({}));
  expect(meaning({ PathPatterns: ['/b', '/a'] })).toBe(meaning({ PathPatterns: ['/a', '/b'] }));
  for (const over of [{ Priority: 1 }, { HostHeaders: ['a'] }, { SourceGroupArn: 'x' }, { StickinessSeconds: 1 }]) {
    expect(meaning(over)).not.toBe(meaning({}));
  }
});

test.each([
  [{ StoreBucket: '' }, '\'StoreBucket\' must be a text, got ""'],
  [{ StoreBucket: 7 }, "'StoreBucket' must be a text, got 7"],
  [{ PathPatterns: ['/a', 7] }, '\'PathPatterns\' must be a list of texts, got ["/a",7]'],
  [{ RequiresTargets: 'yes' }, '\'RequiresTargets\' must be true or false, got "yes"'],
  [{ Priority: '1x' }, '\'Priority\' must be an integer from 1 to 50000, got "1x"'],
  [{ Priority: 'x1' }, '\'Priority\' must be an integer from 1 to 50000, got "x1"'],
  [{ Priority: '1234567890' }, '\'Priority\' must be an integer from 1 to 50000, got "1234567890"'],
  [{ Priority: [7] }, "'Priority' must be an integer from 1 to 50000, got [7]"],
  [{ Priority: '' }, '\'Priority\' must be an integer from 1 to 50000, got ""'],
])('%j is rejected in one line', (over, line) => {
  expect(() => readRuleProperties({ ...raw, ...over })).toThrow(new Error(line));
});

test.each(['false', false])('%j is no', (RequiresTargets) => {
  expect(readRuleProperties({ ...raw, RequiresTargets }).requiresTargets).toBe(false);
});

test('hosts and paths each count, and neither has an order', () => {
  const meaning = (over: object) => canonicalizeRule(readRuleProperties({ ...raw, ...over }));
  expect(meaning({ HostHeaders: ['b', 'a'] })).toBe(meaning({ HostHeaders: ['a', 'b'] }));
  expect(meaning({ PathPatterns: ['/b'] })).not.toBe(meaning({}));
});

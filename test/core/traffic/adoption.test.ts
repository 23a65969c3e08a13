import { AdoptionRequest, adoptionForward, readAdoption } from '../../../core/traffic/adoption';
import { LiveRule } from '../../../core/traffic/weighted-rule';
import { DEFAULT_PRIORITY, ListenerRule, catchesSame, wayPast } from '../../../core/traffic/bypass-rules';

const groupArns = { source: 's', target: 't' };
const forward = (groups: Record<string, number>) => ({
  groups: Object.entries(groups).map(([arn, weight]) => ({ arn, weight })),
  stickiness: { enabled: true, seconds: 60 },
});

function listenerRule(over: Partial<LiveRule>): LiveRule {
  const conditions = { pathPatterns: ['/*'], hostHeaders: ['shop.example.com'], hasOtherConditions: false };
  return { arn: 'rule', priority: 10, isFixedResponse: false, ...conditions, ...over };
}

const fallback = (over: Partial<ListenerRule> = {}) =>
  listenerRule({
    arn: 'd',
    priority: DEFAULT_PRIORITY,
    pathPatterns: [],
    hostHeaders: [],
    forward: forward({ old: 1 }),
    ...over,
  });

describe('without the rule its requests go', () => {
  const past = (...others: ListenerRule[]) => wayPast(listenerRule({}), others);

  test('to the group of the default action', () => {
    expect(past(fallback())).toEqual({ kind: 'group', arn: 'old' });
  });

  test('to the first rule behind it that catches all of them, whatever stands before it or catches others', () => {
    const behind = listenerRule({ arn: 'b', priority: 20, forward: forward({ behind: 5, idle: 0 }) });
    const before = listenerRule({ arn: 'a', priority: 9, forward: forward({ before: 1 }) });
    const others = listenerRule({
      arn: 'c',
      priority: 11,
      hostHeaders: ['chat.example.com'],
      forward: forward({ chat: 1 }),
    });
    expect(past(fallback(), behind, before, others)).toEqual({ kind: 'group', arn: 'behind' });
  });

  test('to no backend where the listener responds itself', () => {
    expect(past(fallback({ forward: undefined, isFixedResponse: true }))).toEqual({ kind: 'nothing' });
  });

  test.each<[string, ListenerRule, string]>([
    [
      'to more than one rule',
      listenerRule({ arn: 'b', priority: 20, pathPatterns: ['/api/*'] }),
      'the rule of priority 20, which catches some of them and not all',
    ],
    [
      'where a rule asks for more than path and host',
      listenerRule({ arn: 'b', priority: 20, hasOtherConditions: true }),
      'the rule of priority 20, which catches some of them and not all',
    ],
    [
      'to several groups',
      fallback({ forward: forward({ a: 1, b: 1 }) }),
      'the default action, which forwards to 2 groups',
    ],
    [
      'through a login, a redirect or a rewrite',
      fallback({ forward: undefined }),
      'the default action, which does more, or something else, than to forward',
    ],
  ])('%s: that is no way for one rule', (_, rule, why) => {
    expect(past(fallback({ arn: 'last' }), { ...rule })).toEqual(
      rule.priority === DEFAULT_PRIORITY ? expect.anything() : { kind: 'unclear', why },
    );
    if (rule.priority === DEFAULT_PRIORITY) expect(past(rule)).toEqual({ kind: 'unclear', why });
  });

  test('another place in the order catches the same where no rule between them overlaps', () => {
    const between = listenerRule({ arn: 'b', priority: 15 });
    expect(catchesSame(listenerRule({}), listenerRule({ priority: 20 }), [fallback()])).toBe(true);
    expect(catchesSame(listenerRule({}), listenerRule({ priority: 20 }), [between])).toBe(false);
    expect(catchesSame(listenerRule({}), listenerRule({ pathPatterns: ['/a'] }), [])).toBe(false);
  });
});

const adopt = (
  live: Record<string, number>,
  request: AdoptionRequest,
  over: { past?: string; old?: string | null } = {},
) => {
  const { past = 'old', old = 'old' } = over;
  const rule = listenerRule({ forward: forward(live), ...(old !== null && { oldGroupArn: old }) });
  const { forward: next } = adoptionForward(
    { rule, others: [fallback({ forward: forward({ [past]: 1 }) })], groupArns },
    request,
  );
  return Object.fromEntries(next.groups.map(({ arn, weight }) => [arn, weight]));
};

describe('a share of the requests', () => {
  test('comes through the proxies of the source at first, and the rest goes to the group of before', () => {
    expect(adopt({ old: 100 }, { share: 10 })).toEqual({ s: 10, old: 90 });
    expect(adopt({ s: 10, old: 90 }, { share: 100 })).toEqual({ s: 100 });
    expect(adopt({ s: 10, old: 90 }, { share: 0 })).toEqual({ old: 100 });
    expect(adopt({ old: 100 }, { share: 100 })).toEqual({ s: 100 });
    expect(adopt({ s: 1 }, { share: 50 })).toEqual({ s: 50, old: 50 });
  });

  test('keeps the stickiness of the rule', () => {
    const rule = listenerRule({ forward: forward({ old: 1 }), oldGroupArn: 'old' });
    expect(adoptionForward({ rule, others: [fallback()], groupArns }, { share: 1 }).forward.stickiness).toEqual({
      enabled: true,
      seconds: 60,
    });
  });

  test('never goes from the target to the group of before: that is the side which was left', () => {
    expect(() => adopt({ t: 100 }, { share: 90 })).toThrow(
      "'old' must not take requests from the target: it is the side that they have left",
    );
    expect(() => adopt({ old: 100 }, { share: 50, side: 'target' })).toThrow('it is the side that they have left');
  });

  test('goes from the target to a group that a person names and that the listener leads to', () => {
    const next = { past: 'new' };
    expect(adopt({ t: 100 }, { share: 90, pastArn: 'new' }, next)).toEqual({ t: 90, new: 10 });
    expect(adopt({ t: 90, new: 10 }, { share: 0, pastArn: 'new' }, next)).toEqual({ new: 100 });
    expect(adopt({ new: 100 }, { share: 5, pastArn: 'new', side: 'target' }, next)).toEqual({ t: 5, new: 95 });
    expect(() => adopt({ t: 100 }, { share: 90 }, next)).toThrow("'--past' must name the group");
    expect(() => adopt({ t: 100 }, { share: 90, pastArn: 'other' }, next)).toThrow(
      "must be where the listener sends the requests without the rule, 'new', got 'other'",
    );
    expect(() => adopt({ new: 100 }, { share: 5, pastArn: 'new' }, next)).toThrow("'--side' must be given");
  });

  test('of a rule that was made before such groups were written down has to be named as well', () => {
    expect(() => adopt({ s: 100 }, { share: 90 }, { old: null })).toThrow("'--past' must name the group");
    expect(adopt({ s: 100 }, { share: 90, pastArn: 'old' }, { old: null })).toEqual({ s: 90, old: 10 });
  });

  test('is rejected between two stages of a cutover, for the other side, and where nothing serves past the proxies', () => {
    expect(() => adopt({ s: 50, t: 50 }, { share: 50 })).toThrow('one side must have all of the weight');
    expect(() => adopt({ s: 100 }, { share: 50, side: 'target' })).toThrow(
      "'--side' must be the side that serves, source, got target",
    );
    const rule = listenerRule({ forward: forward({ s: 1 }) });
    const others = [fallback({ forward: undefined, isFixedResponse: true })];
    expect(() => adoptionForward({ rule, others, groupArns }, { share: 50 })).toThrow('got no backend');
  });
});

test('what comes through is read in percent, whatever the weights', () => {
  const read = (live: Record<string, number>) =>
    readAdoption({ rule: listenerRule({ forward: forward(live) }), others: [fallback()], groupArns });
  expect(read({ old: 1 })).toEqual({ share: 0, pastArn: 'old' });
  expect(read({ s: 1, old: 3 })).toEqual({ share: 25, side: 'source', pastArn: 'old' });
  expect(read({ s: 5, t: 5 })).toEqual({ share: 100, pastArn: 'old' });
});

test('groups without weight, and a rule without a forward, serve nothing', () => {
  const read = (rule: LiveRule, others = [fallback()]) => readAdoption({ rule, others, groupArns });
  expect(read(listenerRule({ forward: forward({ s: 0, old: 0 }) }))).toStrictEqual({ share: 0, pastArn: 'old' });
  expect(read(listenerRule({}))).toStrictEqual({ share: 0, pastArn: 'old' });
  expect(read(listenerRule({ forward: forward({ s: 1, t: 0 }) }))).toMatchObject({ share: 100, side: 'source' });
});

test('the group past the proxies is the one that the action names, else the one that the listener leads to', () => {
  const read = (live: Record<string, number>, others: ListenerRule[]) =>
    readAdoption({ rule: listenerRule({ forward: forward(live) }), others, groupArns });
  const fixed = fallback({ forward: undefined, isFixedResponse: true });
  expect(read({ s: 1, named: 1 }, [fallback()]).pastArn).toBe('named');
  expect(read({ s: 1, named: 0 }, [fallback()]).pastArn).toBe('old');
  expect(read({ s: 1 }, [fixed])).toStrictEqual({ share: 100, side: 'source' });
});

test('a rule without a forward is adopted without stickiness', () => {
  const adopted = { rule: listenerRule({ oldGroupArn: 'old' }), others: [fallback()], groupArns };
  expect(adoptionForward(adopted, { share: 100, side: 'source' })).toStrictEqual({
    forward: { groups: [{ arn: 's', weight: 100 }], stickiness: { enabled: false, seconds: 0 } },
    side: 'source',
  });
});

test('all of it needs no group past the proxies, and no side that was left is in the way', () => {
  const fixed = fallback({ forward: undefined, isFixedResponse: true });
  const all = (live: Record<string, number>) =>
    adoptionForward(
      { rule: listenerRule({ forward: forward(live) }), others: [fixed], groupArns },
      { share: 100, side: 'target' },
    ).forward.groups;
  expect(all({ t: 1 })).toEqual([{ arn: 't', weight: 100 }]);
});

test.each<[string, Record<string, number>, AdoptionRequest, ListenerRule[], string]>([
  [
    'a side without weight is not the one that serves',
    { s: 0, t: 1 },
    { share: 50, side: 'source' },
    [fallback()],
    "'--side' must be the side that serves, target, got source; a cutover moves it to the other one",
  ],
  [
    'no group, and why',
    { s: 1 },
    { share: 50 },
    [fallback({ forward: undefined })],
    'the listener must have one group that serves the requests past the proxies, got the default action, which does more, or something else, than to forward',
  ],
  [
    'another group than before',
    { s: 1 },
    { share: 50 },
    [fallback({ forward: forward({ new: 1 }) })],
    "'--past' must name the group that takes the requests from the proxies, because it is 'new', and not the group that served before the rule",
  ],
  [
    'requests at a group that is neither a side nor the one of before',
    { named: 1 },
    { share: 100 },
    [fallback()],
    "'--side' must be given where all requests go past the proxies to another group than before, got none",
  ],
])('%s', (_, live, request, others, message) => {
  const rule = listenerRule({ forward: forward(live), oldGroupArn: 'old' });
  const rejected = () => adoptionForward({ rule, others, groupArns }, request);
  expect(rejected).toThrow(expect.objectContaining({ code: 'NotAdoptable', message }) as Error);
});

test('a side that is given and serves is taken', () => {
  expect(adopt({ s: 10, old: 90 }, { share: 50, side: 'source' })).toEqual({ s: 50, old: 50 });
});

describe('rules beside a rule of ours', () => {
  const at = (priority: number, pathPatterns = ['/*']) => listenerRule({ arn: `p${priority}`, priority, pathPatterns });
  const moves = (others: ListenerRule[], from = 10, to = 20) => catchesSame(at(from), at(to), others);

  test('of the same priority stand not behind it', () => {
    expect(wayPast(at(10), [at(10), fallback()])).toEqual({ kind: 'group', arn: 'old' });
  });

  test.each([
    ['one before both places', [at(9)], true],
    ['one at each place', [at(10), at(20)], true],
    ['one behind both', [at(21)], true],
    ['one between them', [at(15)], false],
    ['one of many between them', [at(9), at(15), at(21)], false],
    ['one between them that catches others', [{ ...at(15), hostHeaders: ['chat.example.com'] }], true],
  ])('%s', (_, others, same) => {
    expect([moves(others), moves(others, 20, 10)]).toEqual([same, same]);
  });
});

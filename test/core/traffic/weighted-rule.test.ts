import { RuleProperties } from '../../../core/traffic/rule-properties';
import { DEFAULT_PRIORITY, ListenerRule } from '../../../core/traffic/bypass-rules';
import {
  DEPLOYED_TAG,
  DeletionRequest,
  LOGICAL_ID_TAG,
  LiveRule,
  OLD_GROUP_TAG,
  PENDING,
  RuleRequest,
  STACK_TAG,
  decideDeletion,
  decideRule,
} from '../../../core/traffic/weighted-rule';

const wanted: RuleProperties = {
  listenerArn: 'listener',
  priority: 1000,
  pathPatterns: ['/*'],
  hostHeaders: [],
  groupArns: { source: 's1', target: 't1' },
  initialWeights: { source: 100, target: 0 },
  stickinessSeconds: 3600,
  requiresTargets: false,
  storeBucket: 'store',
};
const lock = { execution: 'move-1', startedAt: '2026-01-01T00:00:00.000Z' };

/** A rule as a cutover left it, by group and weight. */
function live(groups: Record<string, number>, over: Partial<LiveRule> = {}): LiveRule {
  return {
    arn: 'rule',
    priority: 1000,
    pathPatterns: ['/*'],
    hostHeaders: [],
    hasOtherConditions: false,
    isFixedResponse: false,
    forward: {
      groups: Object.entries(groups).map(([arn, weight]) => ({ arn, weight })),
      stickiness: { enabled: true, seconds: 3600 },
    },
    deployed: 'digest of before',
    ...over,
  };
}

function decide(over: Partial<RuleRequest>) {
  const given = {
    name: 'Rule',
    wanted,
    digest: 'digest of wanted',
    healthyTargets: new Map<string, number>(),
    others: [],
  };
  return decideRule({ ...given, ...over });
}

const listGroups = (order: ReturnType<typeof decideRule>) => {
  const forward = order.kind === 'create' ? order.forward : order.kind === 'modify' ? order.changes.forward : undefined;
  return forward && Object.fromEntries(forward.groups.map(({ arn, weight }) => [arn, weight]));
};

describe('a rule that is not there', () => {
  test('is created with the initial weights, and names no group of weight 0', () => {
    const order = decide({});
    expect(order).toMatchObject({ kind: 'create', reason: expect.stringContaining('100/0') as string });
    expect(listGroups(order)).toEqual({ s1: 100 });
  });

  test('that someone deleted is created again, and says so', () => {
    expect(decide({ before: wanted })).toMatchObject({
      kind: 'create',
      reason: 'the rule was gone: created with the initial weights 100/0',
    });
  });

  test('on a listener with traffic is created only over groups that serve, where they have weight', () => {
    const joining = { ...wanted, requiresTargets: true };
    expect(decide({ wanted: joining })).toMatchObject({
      kind: 'reject',
      reason: "'Rule' must lead the traffic of its listener to groups with healthy targets, got none in 's1'",
    });
    expect(decide({ wanted: joining, healthyTargets: new Map([['s1', 1]]) }).kind).toBe('create');
    const both = { ...joining, initialWeights: { source: 1, target: 1 } };
    expect(decide({ wanted: both, healthyTargets: new Map([['s1', 1]]) }).kind).toBe('reject');
  });

  test('of another listener is created with the weights in force', () => {
    const order = decide({ former: live({ s1: 30, t1: 70 }) });
    expect(order.kind).toBe('create');
    expect(listGroups(order)).toEqual({ s1: 30, t1: 70 });
  });

  test('of another listener is rejected when its weights cannot be known', () => {
    expect(decide({ former: live({ other: 1 }) })).toMatchObject({ kind: 'reject' });
    expect(decide({ former: live({}, { forward: undefined }) })).toMatchObject({ kind: 'reject' });
  });

  test('is rejected under the lock', () => {
    expect(decide({ lock })).toEqual({
      kind: 'reject',
      reason:
        "'Rule' must not be created while the lock is held, got one held by 'move-1' since 2026-01-01T00:00:00.000Z; deploy again when it is free",
    });
  });
});

describe('a rule that is there', () => {
  const deployed = 'digest of wanted';

  test('and is as it should be stays, whatever its weights, also under the lock', () => {
    const states: Record<string, number>[] = [{ s1: 100 }, { s1: 90, t1: 10 }, { s1: 1, t1: 0 }, { t1: 100 }];
    for (const groups of states) {
      expect(decide({ present: live(groups, { deployed }) }).kind).toBe('nothing');
      expect(decide({ present: live(groups), lock }).kind).toBe('nothing');
    }
  });

  test('keeps its weights when the initial ones change alone, and says why', () => {
    const before = { ...wanted, initialWeights: { source: 1, target: 1 } };
    const order = decide({ before, present: live({ t1: 100 }, { deployed }) });
    expect(order).toEqual({
      kind: 'nothing',
      ruleArn: 'rule',
      reason: 'the initial weights count at creation only: the weights in force stay, and are not 100/0',
    });
  });

  test('is noted as deployed when an update was cut short after its changes', () => {
    expect(decide({ present: live({ s1: 1 }) })).toMatchObject({ kind: 'modify', changes: {} });
  });

  test.each<[string, Partial<RuleProperties>, object]>([
    ['priority', { priority: 7 }, { priority: 7 }],
    ['paths', { pathPatterns: ['/a'] }, { conditions: { pathPatterns: ['/a'], hostHeaders: [] } }],
    ['hosts', { hostHeaders: ['x.y'] }, { conditions: { pathPatterns: ['/*'], hostHeaders: ['x.y'] } }],
  ])('changes its %s alone', (_, over, changes) => {
    const order = decide({ wanted: { ...wanted, ...over }, before: wanted, present: live({ s1: 90, t1: 10 }) });
    expect(order).toMatchObject({ kind: 'modify', ruleArn: 'rule' });
    expect(order.kind === 'modify' && order.changes).toEqual(changes);
  });

  test('loses a condition that no weighted rule has', () => {
    const order = decide({ present: live({ s1: 1 }, { hasOtherConditions: true }) });
    expect(order.kind === 'modify' && Object.keys(order.changes)).toEqual(['conditions']);
  });

  test('the order of values means nothing', () => {
    const paths = { ...wanted, pathPatterns: ['/b', '/a'] };
    expect(decide({ wanted: paths, present: live({ s1: 1 }, { pathPatterns: ['/a', '/b'], deployed }) }).kind).toBe(
      'nothing',
    );
  });

  test('takes another stickiness with the weights in force, also with one group', () => {
    const states: Record<string, number>[] = [{ s1: 90, t1: 10 }, { t1: 100 }];
    for (const groups of states) {
      const order = decide({ wanted: { ...wanted, stickinessSeconds: 60 }, before: wanted, present: live(groups) });
      expect(listGroups(order)).toEqual(groups);
      expect(order).toMatchObject({ changes: { forward: { stickiness: { enabled: true, seconds: 60 } } } });
    }
  });

  test('takes a new group in the place of the old one of that side', () => {
    const next = { ...wanted, groupArns: { source: 's2', target: 't1' } };
    expect(listGroups(decide({ wanted: next, before: wanted, present: live({ s1: 90, t1: 10 }) }))).toEqual({
      s2: 90,
      t1: 10,
    });
    expect(listGroups(decide({ wanted: next, before: wanted, present: live({ s1: 0, t1: 10 }) }))).toEqual({
      s2: 0,
      t1: 10,
    });
    expect(decide({ wanted: next, before: wanted, present: live({ t1: 10 }, { deployed }) }).kind).toBe('nothing');
  });

  test('moves no traffic when the template swaps the sides', () => {
    const next = { ...wanted, groupArns: { source: 't1', target: 's1' } };
    expect(decide({ wanted: next, before: wanted, present: live({ s1: 90, t1: 10 }, { deployed }) }).kind).toBe(
      'nothing',
    );
  });

  test('is not led from a group that serves to one that does not', () => {
    const next = { ...wanted, groupArns: { source: 's2', target: 't1' } };
    const replace = (healthy: Record<string, number>, groups: Record<string, number>) =>
      decide({ wanted: next, before: wanted, present: live(groups), healthyTargets: new Map(Object.entries(healthy)) });
    expect(replace({ s1: 2, s2: 0, t1: 2 }, { s1: 90, t1: 10 })).toMatchObject({
      kind: 'reject',
      reason: expect.stringMatching(/^'Rule' must lead .* healthy targets, got none in 's2'/) as string,
    });
    expect(replace({ s1: 2, s2: 1, t1: 2 }, { s1: 90, t1: 10 }).kind).toBe('modify');
    expect(replace({ s1: 0, s2: 0, t1: 0 }, { s1: 100 }).kind).toBe('modify');
    expect(replace({ s1: 2, s2: 0, t1: 2 }, { s1: 0, t1: 100 }).kind).toBe('modify');
  });

  test('is not changed under the lock', () => {
    const next = { ...wanted, stickinessSeconds: 60, priority: 5 };
    expect(decide({ wanted: next, before: wanted, present: live({ s1: 90, t1: 10 }), lock })).toEqual({
      kind: 'reject',
      reason:
        "'Rule' must not change (priority, forward) while the lock is held, got one held by 'move-1' since 2026-01-01T00:00:00.000Z; deploy again when it is free",
    });
  });

  test('is not changed when its weights cannot be kept', () => {
    const present = live({ s1: 1, other: 1 });
    expect(decide({ wanted: { ...wanted, priority: 5 }, before: wanted, present })).toMatchObject({
      kind: 'reject',
      reason: expect.stringContaining('s1=1 other=1 on rule') as string,
    });
    expect(decide({ present: live({}, { forward: undefined }) })).toMatchObject({ kind: 'reject' });
  });

  test('the rollback of a rejected update touches nothing', () => {
    const refused = { ...wanted, stickinessSeconds: 60 };
    const states = [live({ s1: 90, t1: 10 }, { deployed }), live({ other: 1 }, { deployed })];
    for (const present of states) {
      expect(decide({ before: refused, present, lock }).kind).toBe('nothing');
    }
    expect(decide({ before: refused, present: live({ other: 1 }, { deployed }) }).kind).toBe('nothing');
    const unlike = live({ s1: 90, t1: 10 }, { deployed, priority: 3 });
    expect(decide({ before: refused, present: unlike, lock }).kind).toBe('nothing');
    // Nobody moves traffic now: an update that was done by half is undone.
    expect(decide({ before: refused, present: unlike })).toMatchObject({ kind: 'modify', changes: { priority: 1000 } });
  });

  test('the rollback of a half-done update is rejected under the lock, and done without it', () => {
    const halfDone = live({ s1: 90, t1: 10 }, { deployed: 'pending:digest of other', priority: 3 });
    expect(decide({ before: wanted, present: halfDone, lock })).toMatchObject({
      kind: 'reject',
      reason: expect.stringContaining("'Rule' must not change (priority) while the lock is held") as string,
    });
    expect(decide({ before: wanted, present: halfDone })).toMatchObject({
      kind: 'modify',
      changes: { priority: 1000 },
    });
  });

  test('that is half-done on its way to what is wanted is finished', () => {
    const pending = { deployed: 'pending:digest of wanted' };
    expect(decide({ present: live({ s1: 1 }, pending) })).toMatchObject({ kind: 'modify', changes: {} });
    expect(decide({ present: live({ s1: 1 }, { ...pending, priority: 3 }), lock }).kind).toBe('reject');
  });

  test('found again on its old listener takes the weights of the one that it left', () => {
    const order = decide({
      present: live({ s1: 100 }),
      former: live({ s1: 20, t1: 80 }, { arn: 'rule of the new listener' }),
    });
    expect(order).toMatchObject({ kind: 'modify', ruleArn: 'rule' });
    expect(listGroups(order)).toEqual({ s1: 20, t1: 80 });
  });
});

/** Names of tags that deployed rules have. */
test('the names of the tags stay', () => {
  expect([STACK_TAG, LOGICAL_ID_TAG, DEPLOYED_TAG, PENDING, OLD_GROUP_TAG]).toEqual([
    'drainshift:stack-id',
    'drainshift:logical-id',
    'drainshift:deployed',
    'pending:',
    'drainshift:old-group',
  ]);
});

describe('an update that replaces the group of a side', () => {
  const next = { ...wanted, groupArns: { source: 's2', target: 't1' } };
  /** The groups in force and those with healthy targets; nothing is known of the others, which is not healthy. */
  const replace = (groups: Record<string, number>, ...healthy: string[]) =>
    decide({
      wanted: next,
      before: wanted,
      present: live(groups),
      healthyTargets: new Map(healthy.map((arn) => [arn, 1])),
    });

  test.each<[string, Record<string, number>, string[], 'modify' | 'reject']>([
    ['that serves by one that does not', { s1: 100 }, ['s1'], 'reject'],
    ['that serves by one that serves, too', { s1: 100 }, ['s1', 's2'], 'modify'],
    ['that serves a part by one that does not', { s1: 50, t1: 50 }, ['s1', 't1'], 'reject'],
    ['that is dead while the other side serves', { s1: 50, t1: 50 }, ['t1'], 'reject'],
    ['where no group with weight serves', { s1: 100, t1: 0 }, ['t1'], 'modify'],
    ['that has no weight', { s1: 0, t1: 100 }, ['s1', 't1'], 'modify'],
    ['where nothing is known to be healthy', { s1: 100 }, [], 'modify'],
  ])('%s', (_, groups, healthy, kind) => {
    expect(replace(groups, ...healthy).kind).toBe(kind);
  });

  test('says how to go about it', () => {
    expect(replace({ s1: 100 }, 's1').reason).toBe(
      "'Rule' must lead its live traffic to groups with healthy targets, got none in 's2'; give the other side all of the weight before this side's group is replaced",
    );
  });
});

test('a group that stays and died is no reason against an update', () => {
  const healthyTargets = new Map([['t1', 1]]);
  const order = decide({
    wanted: { ...wanted, stickinessSeconds: 60 },
    present: live({ s1: 50, t1: 50 }),
    healthyTargets,
  });
  expect(order.kind).toBe('modify');
});

test('a rule with another action serves no group that an update could empty', () => {
  const former = live({ s1: 100 }, { arn: 'rule of the new listener' });
  const order = decide({ present: live({}, { forward: undefined }), former, healthyTargets: new Map() });
  expect(listGroups(order)).toEqual({ s1: 100 });
});

describe('what a person reads of', () => {
  const deployed = 'digest of wanted';
  const other = { ...wanted, stickinessSeconds: 60, priority: 7 };
  const half = { ...wanted, initialWeights: { source: 100, target: 1 } };
  test.each([
    ['a new rule', decide({}), 'the rule is new: created with the initial weights 100/0'],
    [
      'one that moves',
      decide({ former: live({ s1: 30, t1: 70 }) }),
      'the listener is another: created with the weights in force',
    ],
    ['one that stays', decide({ present: live({ s1: 1 }, { deployed }) }), 'the rule is as it should be'],
    [
      'one that stays after an update',
      decide({ before: wanted, present: live({ s1: 1 }, { deployed }) }),
      'the rule is as it should be',
    ],
    [
      'other initial weights, of one side alone',
      decide({ before: half, present: live({ s1: 1 }, { deployed }) }),
      'the initial weights count at creation only: the weights in force stay, and are not 100/0',
    ],
    [
      'one that is deployed, and locked',
      decide({ present: live({ s1: 1 }, { deployed, priority: 3 }), lock }),
      'the rule stays as it is: this is what was deployed last',
    ],
    ['changes', decide({ wanted: other, present: live({ s1: 1 }) }), 'changed: priority, forward; the weights stay'],
    [
      'another action',
      decide({ present: live({}, { forward: undefined }) }),
      "'Rule' must forward to its two target groups alone, or its weights cannot be kept, got another action on rule",
    ],
    [
      'another action under the lock',
      decide({ present: live({}, { forward: undefined }), lock }),
      "'Rule' must not change (forward) while the lock is held, got one held by 'move-1' since 2026-01-01T00:00:00.000Z; deploy again when it is free",
    ],
    ['no rule to delete', decideDeletion({ name: 'Rule', others: [], healthyPast: 0 }), 'the rule is not there'],
    [
      'a deletion',
      decideDeletion({ name: 'Rule', others: [], healthyPast: 0, present: live({ s1: 1 }) }),
      'the rule is deleted',
    ],
    [
      'a deletion under the lock',
      decideDeletion({ name: 'Rule', others: [], healthyPast: 0, present: live({ s1: 1 }), lock }),
      "'Rule' must not be deleted while the lock is held, got one held by 'move-1' since 2026-01-01T00:00:00.000Z; deploy again when it is free",
    ],
  ])('%s', (_, order, reason) => {
    expect(order.reason).toBe(reason);
  });
});

test('a side at weight 0 needs no healthy targets where the listener has traffic', () => {
  const joining = { ...wanted, requiresTargets: true };
  const groups = { ...joining, initialWeights: { source: 1, target: 0 } };
  expect(decide({ wanted: groups, healthyTargets: new Map([['s1', 1]]) }).kind).toBe('create');
});

describe('on a listener that serves the requests already', () => {
  const fallback = (groups: Record<string, number> | undefined) =>
    live(groups ?? {}, {
      arn: 'default',
      priority: DEFAULT_PRIORITY,
      pathPatterns: [],
      ...(groups === undefined && { forward: undefined }),
    });
  const others = [fallback({ old: 1 })];
  const adopted = (groups: Record<string, number>, over: Partial<LiveRule> = {}) =>
    live(groups, { oldGroupArn: 'old', deployed: 'digest of wanted', ...over });

  test('a new rule changes nothing: all go on to the group of before, also while no proxy is healthy', () => {
    const order = decide({ others, wanted: { ...wanted, requiresTargets: true } });
    expect(order).toMatchObject({ kind: 'create', oldGroupArn: 'old' });
    expect(listGroups(order)).toEqual({ old: 100 });
  });

  test('initial weights on the target are rejected, and so is what one rule cannot stand for', () => {
    const weights = { source: 0, target: 1 };
    expect(decide({ others, wanted: { ...wanted, initialWeights: weights } })).toMatchObject({
      reason:
        "'Rule' must have initial weights on the source alone, because its listener serves the requests already, got 0/1",
    });
    expect(decide({ others: [fallback({ a: 1, b: 1 })] })).toMatchObject({
      reason: expect.stringContaining('the default action, which forwards to 2 groups; choose conditions') as string,
    });
    expect(decide({ others: [fallback(undefined)] }).kind).toBe('reject');
  });

  test('an update keeps the share of the group past the proxies', () => {
    const next = { ...wanted, stickinessSeconds: 60 };
    const order = decide({ others, wanted: next, before: wanted, present: adopted({ s1: 10, old: 90 }) });
    expect(listGroups(order)).toEqual({ s1: 10, old: 90 });
    expect(decide({ others, present: adopted({ s1: 10, old: 90 }) }).kind).toBe('nothing');
    expect(decide({ others, wanted: next, present: live({ s1: 10, foreign: 90 }) }).kind).toBe('reject');
  });

  test('other requests do not change hands by an update, unless all go past before and after', () => {
    const change = { others, wanted: { ...wanted, pathPatterns: ['/a'] }, before: wanted };
    expect(decide({ ...change, present: adopted({ s1: 100 }, { deployed: 'x' }) })).toMatchObject({
      kind: 'reject',
      reason: expect.stringContaining('must catch the same requests as before') as string,
    });
    expect(decide({ ...change, present: adopted({ old: 100 }, { deployed: 'x' }) }).kind).toBe('modify');
    const priority = { ...wanted, priority: 7 };
    expect(decide({ others, wanted: priority, present: adopted({ s1: 1 }, { deployed: 'x' }) }).kind).toBe('modify');
  });

  test('a rule that joins another listener leads past the proxies there, and is rejected once the target serves', () => {
    const former = live({ s1: 100 }, { arn: 'former' });
    const order = decide({ others, before: wanted, former });
    expect(listGroups(order)).toEqual({ old: 100 });
    expect(decide({ others, before: wanted, former: live({ t1: 1 }) })).toMatchObject({
      kind: 'reject',
      reason: expect.stringContaining('must stay on its listener while it leads to the target') as string,
    });
    // The way back: what it leads to there is no weight of a side.
    const back = decide({ present: live({ s1: 70, t1: 30 }), former: adopted({ old: 100 }, { arn: 'there' }) });
    expect(listGroups(back)).toBeUndefined();
  });

  test.each<[string, LiveRule, Record<string, number> | undefined, number, 'delete' | 'reject']>([
    ['before the first step', adopted({ old: 100 }), { old: 1 }, 0, 'delete'],
    ['with all on the source', adopted({ s1: 100 }), { old: 1 }, 1, 'delete'],
    ['in the middle of the adoption', adopted({ s1: 10, old: 90 }), { old: 1 }, 1, 'delete'],
    ['with all on the source, before a dead group', adopted({ s1: 100 }), { old: 1 }, 0, 'reject'],
    ['with all on the source, and nothing behind any more', adopted({ s1: 100 }), undefined, 1, 'reject'],
    ['completed', adopted({ t1: 100 }), { old: 1 }, 1, 'reject'],
    ['completed, of a rule of before', live({ t1: 100 }), { old: 1 }, 1, 'reject'],
    ['between two stages', adopted({ s1: 50, t1: 50 }), { old: 1 }, 1, 'reject'],
    ['completed, and another group behind it', adopted({ t1: 100 }), { new: 1 }, 1, 'reject'],
    ['left in part', adopted({ t1: 10, new: 90 }), { new: 1 }, 1, 'reject'],
    ['left', adopted({ new: 100 }), { new: 1 }, 0, 'delete'],
    ['left to a group that the listener does not lead to', adopted({ new: 100 }), { old: 1 }, 1, 'reject'],
    ['replaced by another action', adopted({}, { forward: undefined }), { old: 1 }, 1, 'delete'],
  ])('a deletion %s', (_, present, behind, healthyPast, kind) => {
    const order = remove(present, { others: [fallback(behind)], healthyPast });
    expect(order.kind).toBe(kind);
    if (kind === 'reject') {
      expect(order.reason).toMatch(
        /^'Rule' must not be deleted while its requests would be served otherwise, got .*delete again$/,
      );
    }
  });

  const LEAVE =
    "point the listener at the group that is to serve them, let all of them go past the proxies ('drainshift adopt --share 0'), then delete again";
  const fixed = live(
    {},
    { arn: 'd', priority: DEFAULT_PRIORITY, pathPatterns: [], forward: undefined, isFixedResponse: true },
  );
  test.each<[string, LiveRule, ListenerRule[], number, string]>([
    ['a dead group', adopted({ s1: 1 }), [fallback({ old: 1 })], 0, "'old' without a healthy target"],
    ['no group', adopted({ s1: 1 }), [fixed], 1, 'no group'],
    ['the group of before', adopted({ old: 1, t1: 9 }), [fallback({ old: 1 })], 1, "'old' instead of 't1'"],
    ['another group', adopted({ foreign: 1 }), [fallback({ old: 1 })], 1, "'old' instead of 'foreign'"],
    ['who knows', adopted({ s1: 1 }), [fallback({ a: 1, b: 1 })], 1, 'the default action, which forwards to 2 groups'],
  ])('a deletion says who would serve the requests: %s', (_, present, behind, healthyPast, would) => {
    expect(remove(present, { others: behind, healthyPast }).reason).toBe(
      `'Rule' must not be deleted while its requests would be served otherwise, got ${would}; ${LEAVE}`,
    );
  });

  test('what has no weight serves nothing, and is no reason against a deletion', () => {
    const behind = { others: [fallback({ old: 1 })], healthyPast: 1 };
    expect(remove(adopted({ old: 100, t1: 0 }), behind).kind).toBe('delete');
    expect(remove(adopted({ s1: 0, t1: 0 }), behind).kind).toBe('delete');
    expect(remove(adopted({ t1: 100, s1: 0 }), { ...behind, groupArns: undefined }).kind).toBe('reject');
  });

  test('a deletion of what has another action, behind which nothing serves, is a deletion', () => {
    expect(remove(adopted({}, { forward: undefined }), { others: [fixed] }).kind).toBe('delete');
  });

  test('a rule that is moved is distinguished from one that leads to the target by what has weight', () => {
    const joins = (former: LiveRule, before?: RuleProperties) => decide({ others, former, ...(before && { before }) });
    const created = { kind: 'create', oldGroupArn: 'old' };
    expect(joins(live({ s1: 100, t1: 0 }))).toMatchObject(created);
    expect(joins(live({ s1: 10, old: 90 }))).toMatchObject(created);
    expect(joins(live({}, { forward: undefined }))).toMatchObject(created);
    // The source by its name of before, or by the new one.
    const renamed = { ...wanted, groupArns: { source: 's0', target: 't0' } };
    expect(joins(live({ s0: 100 }), renamed)).toMatchObject(created);
    expect(joins(live({ s1: 100 }), renamed)).toMatchObject(created);
    expect(joins(live({ s0: 100 })).kind).toBe('reject');
    expect(joins(live({ s1: 90, t1: 10 }), wanted).reason).toBe(
      "'Rule' must stay on its listener while it leads to the target, because the new listener serves requests already, got 'old' behind it",
    );
    expect(joins(live({ s1: 100 })).reason).toBe(
      "all of its requests still go to 'old', as before it: adopt them with 'drainshift adopt'",
    );
  });

  test('one that leads past the proxies there has no weights to bring back, unless a side has some', () => {
    const back = (former: LiveRule) => listGroups(decide({ present: live({ s1: 70, t1: 30 }), former }));
    expect(back(adopted({ s1: 10, old: 90 }, { arn: 'there' }))).toEqual({ s1: 10, old: 90 });
    expect(back(adopted({}, { arn: 'there', forward: undefined }))).toBeUndefined();
  });

  test('the group past the proxies is known by what the listener leads to, or by what served before', () => {
    const next = { ...wanted, stickinessSeconds: 60 };
    const keeps = (present: LiveRule, behind: ListenerRule[]) =>
      listGroups(decide({ others: behind, wanted: next, present }));
    expect(keeps(live({ s1: 10, old: 90 }), others)).toEqual({ s1: 10, old: 90 });
    expect(keeps(adopted({ s1: 10, old: 90 }), [fixed])).toEqual({ s1: 10, old: 90 });
    expect(keeps(live({ s1: 10, old: 90 }), [fixed])).toBeUndefined();
    expect(keeps(adopted({ s1: 10, new: 90 }), [fallback({ new: 1 })])).toEqual({ s1: 10, new: 90 });
  });

  test.each<[string, LiveRule, ListenerRule[], 'modify' | 'reject']>([
    ['all of them go past', adopted({ old: 100, s1: 0 }), [fallback({ old: 1 })], 'modify'],
    ['a part goes past', adopted({ old: 90, s1: 10 }), [fallback({ old: 1 })], 'reject'],
    [
      'all go to another group than the listener leads to',
      adopted({ new: 100 }, { oldGroupArn: 'new', deployed: 'x' }),
      [fallback({ old: 1 })],
      'reject',
    ],
    ['nothing serves past, before and after', live({ s1: 100 }), [fixed], 'modify'],
    [
      'something serves past before, and nothing after',
      adopted({ s1: 100 }),
      [
        live({ old: 1 }, { arn: 'b', priority: 1001, pathPatterns: ['/*'] }),
        { ...fixed, arn: 'c', priority: 1002, pathPatterns: ['/a'] },
      ],
      'reject',
    ],
  ])('other conditions, when %s', (_, present, behind, kind) => {
    const order = decide({ others: behind, wanted: { ...wanted, pathPatterns: ['/a'] }, before: wanted, present });
    expect(order.kind).toBe(kind);
  });

  test('other conditions are rejected with what to do first', () => {
    const changed = { others, wanted: { ...wanted, pathPatterns: ['/a'] }, before: wanted };
    expect(decide({ ...changed, present: adopted({ s1: 100 }, { deployed: 'x' }) }).reason).toBe(
      "'Rule' must catch the same requests as before, because its listener serves the others by rules of its own, got other conditions or another priority; let all of its requests go past the proxies first ('drainshift adopt --share 0')",
    );
  });

  test('what cannot be reached is rejected with a remedy', () => {
    expect(decide({ others: [fallback({ a: 1, b: 1 })] }).reason).toBe(
      "'Rule' must know what serves its requests now, got the default action, which forwards to 2 groups; choose conditions or a priority that take the requests of one rule, which forwards to one group",
    );
  });

  test('on a listener of its own a rule is deleted whatever its weights: the migration ends with it', () => {
    const own = [
      live({}, { arn: 'd', priority: DEFAULT_PRIORITY, pathPatterns: [], forward: undefined, isFixedResponse: true }),
    ];
    expect(remove(live({ t1: 100 }), { others: own }).kind).toBe('delete');
    expect(remove(adopted({ s1: 100 }), { others: own }).kind).toBe('reject');
  });
});

function remove(present: LiveRule | undefined, over: Partial<DeletionRequest> = {}) {
  return decideDeletion({
    name: 'Rule',
    others: [],
    healthyPast: 0,
    groupArns: wanted.groupArns,
    ...(present && { present }),
    ...over,
  });
}

describe('a deletion', () => {
  test('of what is there is ordered, and rejected under the lock', () => {
    expect(remove(live({ s1: 1 }))).toMatchObject({ kind: 'delete', ruleArn: 'rule' });
    expect(remove(live({ s1: 1 }), { lock })).toMatchObject({
      kind: 'reject',
      reason: expect.stringContaining("held by 'move-1' since 2026") as string,
    });
  });

  test('of a rule on a listener that the cutover does not watch is ordered under the lock', () => {
    const present = live({ s1: 1 }, { arn: 'a:listener-rule/app/shop/1/old/7' });
    const watching = (...watchedRuleArns: string[]) => remove(present, { lock: { ...lock, watchedRuleArns } });
    expect(watching('a:listener-rule/app/shop/1/new/1', 'a:listener-rule/app/shop/1/smoke/1')).toMatchObject({
      kind: 'delete',
      isLocked: true,
    });
    expect(watching('a:listener-rule/app/shop/1/old/1').kind).toBe('reject');
    expect(watching('a:listener-rule/app/shop/1/new/1', 'a:listener-rule/app/shop/1/old/1').kind).toBe('reject');
    expect(remove(present)).toMatchObject({ kind: 'delete', isLocked: false });
    expect(watching().kind).toBe('reject');
  });

  test('of what is not there has nothing to do, also under the lock', () => {
    expect(remove(undefined, { lock }).kind).toBe('nothing');
  });
});

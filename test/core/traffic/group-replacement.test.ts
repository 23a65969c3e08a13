import { servingGroupToGo } from '../../../core/traffic/group-replacement';

const before = { source: 's1', target: 't1' };

function ask(wanted: object, weights: Record<string, number>, healthy: Record<string, number> = { s1: 1, t1: 1 }) {
  const groups = Object.entries(weights).map(([arn, weight]) => ({ arn, weight }));
  const live = { groups, stickiness: { enabled: true, seconds: 60 } };
  const healthyTargets = new Map(Object.entries(healthy));
  return servingGroupToGo({ before, wanted: { ...before, ...wanted }, live, healthyTargets });
}

test('a group with weight and healthy targets is not to be replaced', () => {
  expect(ask({ source: 's2' }, { s1: 100 })).toBe('s1');
  expect(ask({ target: 't2' }, { s1: 1, t1: 1 })).toBe('t1');
});

test('one that no one is served by may be', () => {
  expect(ask({ target: 't2' }, { s1: 100 })).toBeUndefined();
  expect(ask({ target: 't2' }, { s1: 100, t1: 0 })).toBeUndefined();
  expect(ask({ source: 's2' }, { s1: 100 }, {})).toBeUndefined();
  expect(servingGroupToGo({ before, wanted: { source: 'a', target: 'b' }, healthyTargets: new Map() })).toBeUndefined();
});

test('sides that are swapped, or stay, replace nothing', () => {
  expect(ask({ source: 't1', target: 's1' }, { s1: 1, t1: 1 })).toBeUndefined();
  expect(ask({}, { s1: 1, t1: 1 })).toBeUndefined();
});

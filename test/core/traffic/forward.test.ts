import { sameQuotas } from '../../../core/traffic/weights';
import { forwardFor, sameForward, findWeights } from '../../../core/traffic/forward';

const arns = { source: 'arn:source', target: 'arn:target' };
const stickiness = { enabled: true, seconds: 3600 };

test('a side at weight 0 is not in the action, so that no cookie leads to it', () => {
  expect(forwardFor({ source: 0, target: 100 }, arns, stickiness).groups).toEqual([{ arn: 'arn:target', weight: 100 }]);
  expect(forwardFor({ source: 100, target: 0 }, arns, stickiness).groups).toEqual([{ arn: 'arn:source', weight: 100 }]);
  expect(forwardFor({ source: 90, target: 10 }, arns, stickiness).groups).toHaveLength(2);
});

test('weights read back from an action: an absent side is at 0, a foreign group is no result', () => {
  const forward = (groups: { arn: string; weight: number }[]) => ({ groups, stickiness });
  expect(findWeights(forward([{ arn: 'arn:target', weight: 7 }]), arns)).toEqual({ source: 0, target: 7 });
  expect(
    findWeights(
      forward([
        { arn: 'arn:source', weight: 100 },
        { arn: 'arn:target', weight: 0 },
      ]),
      arns,
    ),
  ).toEqual({ source: 100, target: 0 });
  expect(
    findWeights(
      forward([
        { arn: 'arn:source', weight: 1 },
        { arn: 'arn:other', weight: 1 },
      ]),
      arns,
    ),
  ).toBeUndefined();
  expect(findWeights(forward([]), arns)).toBeUndefined();
});

test('two actions are the same whatever the order of their groups, and differ by weight or stickiness', () => {
  const a = forwardFor({ source: 1, target: 2 }, arns, stickiness);
  expect(sameForward(a, { ...a, groups: [...a.groups].reverse() })).toBe(true);
  expect(sameForward(a, forwardFor({ source: 2, target: 1 }, arns, stickiness))).toBe(false);
  expect(sameForward(a, { ...a, stickiness: { enabled: true, seconds: 60 } })).toBe(false);
  expect(sameForward(a, { ...a, stickiness: { enabled: false, seconds: 3600 } })).toBe(false);
  const off = { ...a, stickiness: { enabled: false, seconds: 3600 } };
  expect(sameForward(off, { ...a, stickiness: { enabled: false, seconds: 0 } })).toBe(true);
});

test('the weight of a single group means nothing: a service may leave it out', () => {
  const one = (weight: number) => ({ groups: [{ arn: 'arn:target', weight }], stickiness });
  expect(sameForward(one(100), one(1))).toBe(true);
});

test('weights are relative: 1/0 is 100/0, and 100/0 is not 0/100', () => {
  expect(sameQuotas({ source: 1, target: 0 }, { source: 100, target: 0 })).toBe(true);
  expect(sameQuotas({ source: 9, target: 1 }, { source: 90, target: 10 })).toBe(true);
  expect(sameQuotas({ source: 0, target: 100 }, { source: 100, target: 0 })).toBe(false);
});

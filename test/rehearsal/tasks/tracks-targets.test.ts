import { TrackingPolicy, decideScaling } from '../../../rehearsal/tasks/target-tracking';

const policy = (over: Partial<TrackingPolicy> = {}): TrackingPolicy => ({
  name: 'Cpu',
  arn: 'policy',
  metric: { kind: 'cpu' },
  target: 50,
  disableScaleIn: false,
  scaleOutCooldownSeconds: 60,
  scaleInCooldownSeconds: 300,
  createdAt: new Date(0),
  configuration: {},
  ...over,
});
const minutes = (count: number, value: number | undefined) => new Array<number | undefined>(count).fill(value);

type Situation = Parameters<typeof decideScaling>[0];
/** @returns the new count */
const decide = (over: Partial<Situation>) =>
  decideScaling({
    ...{ desiredCount: 4, min: 2, max: 10, suspended: {}, tracked: [], past: {}, nowMs: 1_000_000 },
    ...over,
  })?.desiredCount;
const cpu = (values: (number | undefined)[], over: Partial<TrackingPolicy> = {}) => ({ policy: policy(over), values });

test('three minutes over the target add as many as bring the value back to it, up to the maximum', () => {
  expect(decide({ tracked: [cpu(minutes(3, 80))] })).toBe(7);
  expect(decide({ tracked: [cpu(minutes(2, 80))] })).toBeUndefined();
  expect(decide({ tracked: [cpu([80, 50, 80])] })).toBeUndefined();
  expect(decide({ tracked: [cpu([80, undefined, 80])] })).toBeUndefined();
  expect(decide({ tracked: [cpu(minutes(3, 800))] })).toBe(10);
});

test('the neediest policy says how many are added; one without data holds nothing up', () => {
  expect(decide({ tracked: [cpu(minutes(3, 60)), cpu(minutes(3, 90)), cpu([])] })).toBe(8);
});

test('in the cooldown only a need that is larger than what was added adds more', () => {
  const past = { out: { atMs: 970_000, from: 2 } };
  expect(decide({ tracked: [cpu(minutes(3, 100))], past })).toBeUndefined();
  expect(decide({ tracked: [cpu(minutes(3, 120))], past })).toBe(5);
  expect(decide({ tracked: [cpu(minutes(3, 100))], past: { out: { atMs: 939_000, from: 2 } } })).toBe(8);
});

test('fifteen minutes under nine tenths of the target take away, down to the minimum', () => {
  expect(decide({ tracked: [cpu(minutes(15, 30))] })).toBe(3);
  expect(decide({ tracked: [cpu(minutes(14, 30))] })).toBeUndefined();
  expect(decide({ tracked: [cpu(minutes(15, 46))], desiredCount: 20 })).toBeUndefined();
  expect(decide({ tracked: [cpu(minutes(15, 1))] })).toBe(2);
});

test('all policies that may take away must ask for it; one without data holds it up, and one that may not is not asked', () => {
  const low = cpu(minutes(15, 30));
  expect(decide({ tracked: [low, cpu(minutes(15, 49))] })).toBeUndefined();
  expect(decide({ tracked: [low, cpu(minutes(15, undefined))] })).toBeUndefined();
  expect(decide({ tracked: [low, cpu(minutes(15, undefined), { disableScaleIn: true })] })).toBe(3);
  expect(decide({ tracked: [cpu(minutes(15, 30), { disableScaleIn: true })] })).toBeUndefined();
});

test('within the cooldown of a scale-in none follows', () => {
  const tracked = [cpu(minutes(15, 30))];
  expect(decide({ tracked, past: { inAtMs: 701_000 } })).toBeUndefined();
  expect(decide({ tracked, past: { inAtMs: 700_000 } })).toBe(3);
});

test('what is suspended does not scale', () => {
  expect(decide({ tracked: [cpu(minutes(3, 80))], suspended: { scaleOut: true } })).toBeUndefined();
  expect(decide({ tracked: [cpu(minutes(15, 30))], suspended: { scaleIn: true } })).toBeUndefined();
  expect(decide({ tracked: [cpu(minutes(3, 80))], suspended: { scaleIn: true } })).toBe(7);
});

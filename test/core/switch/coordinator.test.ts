import { MemberReport, MemberView, SwitchRules, assess } from '../../../core/switch/coordinator';

const RULES: SwitchRules = { epoch: 3, isFenced: false, waitsForAbandoned: false, leaseMarginMs: 500 };
const HELD = { state: 'holding', epoch: 3, leaseRemainingMs: 2_000, isOfSwitch: true } as const;
const REPORT: MemberReport = { instance: 'a', hold: HELD, inFlight: 0, abandoned: 0, hasLost: false };
const MEMBER: MemberView = {
  life: 'running',
  instance: 'a',
  report: REPORT,
  wasEmpty: false,
  hasOutlastedRequests: false,
};

const state = (report: Partial<MemberReport>, member: Partial<MemberView> = {}, rules: Partial<SwitchRules> = {}) =>
  assess({ ...MEMBER, report: { ...REPORT, ...report }, ...member }, { ...RULES, ...rules });

test('a member counts as empty only while the hold of this switch keeps it, and for long enough', () => {
  expect(state({})).toBe('empty');
  expect(state({ inFlight: 1 })).toBe('busy');
  expect(state({ abandoned: 1 })).toBe('empty');
  expect(state({ abandoned: 1 }, {}, { waitsForAbandoned: true })).toBe('busy');
  expect(state({ hold: { ...HELD, leaseRemainingMs: 499 } })).toBe('leaseShort');
  expect(state({ hold: { ...HELD, state: 'deciding' } })).toBe('notHolding');
  expect(state({ hold: { ...HELD, epoch: 2 } })).toBe('notHolding');
});

test('a hold that a person made, with the same epoch by chance, is not that of the switch: it ends by itself', () => {
  expect(state({ hold: { ...HELD, isOfSwitch: false } })).toBe('notHolding');
});

test('what a process had sent that was lost is unaccounted for, until it was empty, fenced or has outlasted', () => {
  expect(state({ instance: 'b' })).toBe('unaccounted');
  expect(state({ instance: 'b' }, { wasEmpty: true })).toBe('empty');
  expect(state({ instance: 'b' }, { hasOutlastedRequests: true })).toBe('empty');
  expect(state({ instance: 'b' }, {}, { isFenced: true })).toBe('empty');
  // Before the switch began a worker was lost: the instance is the one of the list.
  expect(state({ hasLost: true })).toBe('unaccounted');
  expect(state({ hasLost: true }, { hasOutlastedRequests: true })).toBe('unaccounted');
  expect(state({ hasLost: true }, {}, { isFenced: true })).toBe('empty');
  expect(assess({ ...MEMBER, report: undefined }, RULES)).toBe('unknown');
  expect(assess({ ...MEMBER, report: undefined, life: 'stopped' }, RULES)).toBe('unaccounted');
  expect(assess({ ...MEMBER, report: undefined, life: 'stopped', wasEmpty: true }, RULES)).toBe('gone');
});

import { MARK_TAGS, formatMark, mayBeVerified } from '../../../core/cutover/verified-mark';
import { parsePlan } from '../../../core/plan/plan';

const startedAt = '2026-01-01T00:00:00.000Z';

// Rules of stacks that are deployed carry them.
test('the names of the tags stay', () => {
  expect(MARK_TAGS).toEqual({ verified: 'drainshift:verified', rollingBack: 'drainshift:rolling-back' });
});

test.each([
  ['move-1', 'move-1'],
  ['Zürich 7_.:/=+-@', 'Zürich 7_.:/=+-@'],
  ['a{b}"c"', 'a.b..c.'],
])("the mark of '%s' has the characters that a tag may have", (execution, name) => {
  expect(formatMark({ execution, startedAt })).toBe(`${name} ${startedAt}`);
});

test('a cutover may be verified from its last stage on', () => {
  const plan = parsePlan({ stages: [{ weights: { source: 1, target: 1 } }, { weights: { source: 0, target: 1 } }] });
  expect(mayBeVerified({ plan, stage: undefined })).toBe(false);
  expect(mayBeVerified({ plan, stage: { index: 0, shiftedAtMs: 0 } })).toBe(false);
  expect(mayBeVerified({ plan, stage: { index: 1, shiftedAtMs: 0 } })).toBe(true);
});

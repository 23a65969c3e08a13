import { MAX_LOOKING_SECONDS } from '../../../core/plan/looking';
import { CutoverError } from '../../../core/errors/errors';
import { describePlan, explainPlan } from '../../../core/plan/explain';
import { firstWindowLooks, estimateSeconds, parsePlan, windowLooks, windowPollSeconds } from '../../../core/plan/plan';
import { PLAN_PARTS, checkFloor } from '../../../core/plan/plan-floor';
import { findOpening, isOpen, measureWaits } from '../../../core/plan/windows-plan';
import { Problems } from '../../../core/validation/problems';

const windows = (...given: object[]) => parsePlan({ windows: given }).windows;
const at = (iso: string) => Date.parse(iso);
const opening = (given: object, iso: string) => {
  const found = findOpening(windows(given), at(iso));
  return found === undefined ? undefined : new Date(found).toISOString().slice(0, 16);
};
const listProblems = (given: unknown): string[] => {
  try {
    parsePlan({ windows: given });
  } catch (error) {
    if (error instanceof CutoverError) return error.message.split('\n');
    throw error;
  }
  return [];
};

const NIGHT = { from: '01:00', to: '05:00', zone: 'Europe/Berlin' };
const WEEKEND = { days: ['fri', 'sat'], from: '22:00', to: '04:00', zone: 'America/New_York' };

test('without windows a shift may begin at any time', () => {
  expect(isOpen([], 0)).toBe(true);
  expect(findOpening([], 7)).toBe(7);
});

test.each<[string, boolean]>([
  ['2026-01-14T23:59:59Z', false],
  ['2026-01-15T00:00:00Z', true],
  ['2026-01-15T03:59:59Z', true],
  ['2026-01-15T04:00:00Z', false],
  // The same hours in summer, an hour earlier.
  ['2026-07-14T23:00:00Z', true],
  ['2026-07-15T03:00:00Z', false],
])('1 to 5 in Berlin, at %s: %p', (iso, expected) => {
  expect(isOpen(windows(NIGHT), at(iso))).toBe(expected);
});

test.each<[string, boolean]>([
  // Friday 22:00 and Saturday 03:59 in New York, and Sunday 03:59, which began on Saturday.
  ['2026-01-17T02:59:00Z', false],
  ['2026-01-17T03:00:00Z', true],
  ['2026-01-17T08:59:00Z', true],
  ['2026-01-17T09:00:00Z', false],
  ['2026-01-18T08:59:00Z', true],
  ['2026-01-19T03:00:00Z', false],
])('a window over midnight is of the day on which it begins: %s: %p', (iso, expected) => {
  expect(isOpen(windows(WEEKEND), at(iso))).toBe(expected);
});

describe('the next opening', () => {
  test.each<[string, object, string, string]>([
    ['now, where one is open', NIGHT, '2026-01-15T01:23:00Z', '2026-01-15T01:23'],
    ['tonight', NIGHT, '2026-01-15T12:00:00Z', '2026-01-16T00:00'],
    ['on Friday', WEEKEND, '2026-01-19T12:00:00Z', '2026-01-24T03:00'],
    ['to the minute', { from: '01:07', to: '01:25' }, '2026-01-15T00:00:10Z', '2026-01-15T01:07'],
    [
      'in a zone of quarters of an hour',
      { ...NIGHT, zone: 'Asia/Kathmandu' },
      '2026-01-15T00:00:00Z',
      '2026-01-15T19:15',
    ],
    // On 29 March 2026 the clocks of Berlin go from 2 to 3, on 25 October from 3 to 2.
    [
      'where the clocks skip its beginning',
      { from: '02:30', to: '04:00', zone: 'Europe/Berlin' },
      '2026-03-28T22:00:00Z',
      '2026-03-29T01:00',
    ],
    [
      'where the clocks skip all of it, a day later',
      { from: '02:00', to: '03:00', zone: 'Europe/Berlin' },
      '2026-03-28T22:00:00Z',
      '2026-03-30T00:00',
    ],
    [
      'where an hour comes twice, the first time',
      { from: '02:30', to: '02:50', zone: 'Europe/Berlin' },
      '2026-10-24T22:00:00Z',
      '2026-10-25T00:30',
    ],
    [
      'and the second time',
      { from: '02:30', to: '02:50', zone: 'Europe/Berlin' },
      '2026-10-25T00:55:00Z',
      '2026-10-25T01:30',
    ],
  ])('%s', (_, window, iso, expected) => {
    expect(opening(window, iso)).toBe(expected);
  });

  test('of several windows the first one', () => {
    const found = findOpening(windows(WEEKEND, { ...NIGHT, days: 'mon, tue' }), at('2026-01-18T12:00:00Z'));
    expect(new Date(found!).toISOString()).toBe('2026-01-19T00:00:00.000Z');
  });

  test('a week whose only window the clocks skip has none', () => {
    const skipped = { days: ['sun'], from: '02:00', to: '02:59', zone: 'Europe/Berlin' };
    expect(opening(skipped, '2026-03-23T00:00:00Z')).toBeUndefined();
    expect(opening(skipped, '2026-03-29T03:00:00Z')).toBe('2026-04-05T00:00');
  });
});

test.each<[unknown, string]>([
  ['22:00', "'windows' must be a list of at most 20 windows"],
  [[{ from: '22:00' }], "'windows[0].to' must be a time of the day as '01:30', got nothing"],
  [[{ ...NIGHT, from: '1:00' }], "'windows[0].from' must be a time of the day as '01:30', got \"1:00\""],
  [[{ ...NIGHT, to: '24:00' }], "'windows[0].to' must be a time of the day as '01:30', got \"24:00\""],
  [[{ ...NIGHT, to: '01:00' }], "'windows[0].to' must be at least 15 minutes after '01:00', got \"01:00\""],
  [[{ from: '23:50', to: '00:04' }], "'windows[0].to' must be at least 15 minutes after '23:50', got \"00:04\""],
  [
    [{ ...NIGHT, zone: 'Berlin/Mitte' }],
    "'windows[0].zone' must be a time zone as 'Europe/Berlin', got \"Berlin/Mitte\"",
  ],
  [
    [{ ...NIGHT, days: ['monday'] }],
    '\'windows[0].days\' must be days of mon, tue, wed, thu, fri, sat, sun, got ["monday"]',
  ],
])('%j is rejected', (given, line) => {
  expect(listProblems(given)).toEqual([expect.stringContaining(line)]);
});

test('an execution may narrow the windows, and never widen them', () => {
  const check = (given: object[], deployed: object[]) => {
    const problems = new Problems();
    checkFloor(parsePlan({ windows: given }), parsePlan({ windows: deployed }), PLAN_PARTS, problems);
    return problems.all;
  };
  expect(check([NIGHT], [])).toEqual([]);
  expect(check([NIGHT], [NIGHT])).toEqual([]);
  expect(check([{ ...NIGHT, days: ['mon'], to: '03:00' }], [NIGHT])).toEqual([]);
  expect(check([WEEKEND], [{ ...WEEKEND, from: '20:00' }, NIGHT])).toEqual([]);
  expect(check([], [NIGHT])).toEqual([
    '\'windows\' must be windows within those deployed (every day 01:00 to 05:00 Europe/Berlin), got ""',
  ]);
  expect(check([{ ...NIGHT, to: '05:01' }], [NIGHT])).toHaveLength(1);
  // The same hours of winter alone.
  expect(check([{ from: '00:00', to: '04:00', zone: 'UTC' }], [NIGHT])).toHaveLength(1);
});

test('they are explained, and count in the history', () => {
  const plan = parsePlan({ windows: [WEEKEND] });
  expect(describePlan(plan)).toContain('A shift may begin fri, sat 22:00 to 04:00 America/New_York.');
  expect(describePlan(parsePlan({}))).not.toContain('Windows');
  expect(describePlan(plan)).toMatch(
    /Between shifts it waits for up to .* in all, and both sides are judged: every 2 s\./,
  );
  const { most, budget } = explainPlan(plan).history;
  expect(most - explainPlan(parsePlan({})).history.most).toBe((firstWindowLooks(plan) + windowLooks(plan)) * 9);
  expect(most).toBeLessThanOrEqual(budget);
});

describe('the longest waits', () => {
  const weekly = [{ days: ['sun'], from: '01:00', to: '05:00', zone: 'UTC' }];
  const HOUR = 3600;
  const CLOSED = 164 * HOUR;

  test('are those of a start at the worst moment', () => {
    expect(measureWaits([], [HOUR])).toEqual({ first: 0, between: 0 });
    expect(measureWaits(weekly, [])).toEqual({ first: CLOSED, between: 0 });
    expect(measureWaits(weekly, [HOUR])).toEqual({ first: CLOSED, between: CLOSED });
    // Two hours each: from three o'clock the second shift waits, and then the fourth.
    expect(measureWaits(weekly, [2 * HOUR, 2 * HOUR, 2 * HOUR]).between).toBe(2 * CLOSED);
  });

  const stages = (count: number, bakeSeconds: number) =>
    Array.from({ length: count }, (_, index) => ({
      weights: { source: count - 1 - index, target: index + 1 },
      bakeSeconds,
    }));

  test('are in the duration of the plan, and set its pace', () => {
    const plan = parsePlan({ windows: weekly });
    expect(estimateSeconds(plan).longest - estimateSeconds(parsePlan({})).longest).toBe(2 * CLOSED);
    expect(windowPollSeconds(plan)).toBeLessThanOrEqual(MAX_LOOKING_SECONDS);
    expect(firstWindowLooks(plan) * MAX_LOOKING_SECONDS).toBeGreaterThanOrEqual(CLOSED);
    expect(windowPollSeconds(plan) * windowLooks(plan)).toBeGreaterThanOrEqual(CLOSED);
  });

  test('in which no one would look at the target for a while, or for over a month, are rejected', () => {
    const wrong = (plan: object) => () => parsePlan({ windows: weekly, ...plan });
    expect(wrong({ stages: stages(3, 4 * HOUR), pollSeconds: 60 })).toThrow(
      /'windows' must be windows so close, or stages so few, that .* all the time, in polls of at most 840 s, .*, got "every \d+ s"/,
    );
    expect(wrong({ stages: stages(8, 4 * HOUR), pollSeconds: 120 })).toThrow(/must be done within 2505600 s/);
  });
});

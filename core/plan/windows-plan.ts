import type { Fields, FieldValues, ListField } from '../validation/fields';
import type { Problems } from '../validation/problems';

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const DAY = `(${DAYS.join('|')})`;
const TIME = '^([01][0-9]|2[0-3]):[0-5][0-9]$';
const TIME_RULE = "a time of the day as '01:30'";
/** A shorter one could be missed, and hardly holds a bake. */
const MIN_MINUTES = 15;
const MINUTES_A_DAY = 1_440;
const MINUTE_MS = 60_000;
const QUARTER_MS = MIN_MINUTES * MINUTE_MS;
/** A week, and a day for a window that a change of clocks left out. */
const SEARCHED_QUARTERS = (8 * MINUTES_A_DAY) / MIN_MINUTES;

const WINDOW_FIELDS = {
  days: {
    kind: 'tokens',
    pattern: `^${DAY}$`,
    rule: `days of ${DAYS.join(', ')}`,
    sentence: 'The days on which it begins, as a list. Without any each day.',
  },
  from: { kind: 'text', pattern: TIME, rule: TIME_RULE, sentence: 'When it begins.' },
  to: {
    kind: 'text',
    pattern: TIME,
    rule: TIME_RULE,
    sentence: `When it ends: at least ${MIN_MINUTES} minutes later, on the next day where it is not after \`from\`.`,
  },
  zone: {
    kind: 'text',
    pattern: '^[A-Za-z][A-Za-z0-9+_/-]{0,63}$',
    rule: "a time zone as 'Europe/Berlin'",
    default: 'UTC',
    sentence: 'The time zone of both, by its name in the IANA database.',
  },
} as const satisfies Fields;

export type Window = FieldValues<typeof WINDOW_FIELDS>;

export const WINDOWS_FIELD = {
  kind: 'list',
  min: 0,
  max: 20,
  rule: 'a list of at most 20 windows',
  default: [] as readonly Window[],
  sentence:
    'When a shift may begin: the cutover waits for the next window, and judges both sides meanwhile. A rollback waits for none. Without any: at any time.',
  item: { kind: 'object', sentence: 'One maintenance window.', fields: WINDOW_FIELDS },
  check: (problems: Problems, name: string, windows: readonly Window[]) => {
    windows.forEach((window, index) => {
      checkWindow(problems, `${name}[${index}]`, window);
    });
  },
} as const satisfies ListField;

function checkWindow(problems: Problems, name: string, { from, to, zone }: Window): void {
  const isTime = [from, to].every((time) => new RegExp(TIME).test(time));
  const minutes = (parseTime(to) - parseTime(from) + MINUTES_A_DAY) % MINUTES_A_DAY;
  if (isTime && minutes < MIN_MINUTES)
    problems.add(`${name}.to`, `at least ${MIN_MINUTES} minutes after '${from}'`, to);
  if (!isZone(zone)) problems.add(`${name}.zone`, "a time zone as 'Europe/Berlin'", zone);
}

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/** Whether a shift may begin now. */
export function isOpen(windows: readonly Window[], nowMs: number): boolean {
  return windows.length === 0 || readClocks(windows).some((isIn) => isIn(nowMs));
}

/**
 * When the next shift may begin, to the minute: now, where a window is open. Where the clocks skip the beginning of a window it begins
 * with the first minute that there is.
 *
 * @returns undefined when none opens within a week
 */
export function findOpening(windows: readonly Window[], nowMs: number): number | undefined {
  if (isOpen(windows, nowMs)) return nowMs;
  const clocks = readClocks(windows);
  const isIn = (atMs: number) => clocks.some((each) => each(atMs));
  const startMs = Math.ceil(nowMs / QUARTER_MS) * QUARTER_MS;
  for (let quarter = 0; quarter <= SEARCHED_QUARTERS; quarter += 1) {
    let openMs = startMs + quarter * QUARTER_MS;
    if (!isIn(openMs)) continue;
    while (openMs - MINUTE_MS > nowMs && isIn(openMs - MINUTE_MS)) openMs -= MINUTE_MS;
    return openMs;
  }
  return undefined;
}

/** How long a cutover may wait, in seconds. */
export interface WindowWaits {
  /** Before the first shift. */
  readonly first: number;
  /** Between all shifts together. */
  readonly between: number;
}

/**
 * The longest waits of a cutover that starts at the worst moment, to a quarter of an hour, as the clocks go in a week of winter.
 *
 * @param seconds from each shift but the last one until the next one is due, at the most
 */
export function measureWaits(windows: readonly Window[], seconds: readonly number[]): WindowWaits {
  if (windows.length === 0) return { first: 0, between: 0 };
  const clocks = readClocks(windows);
  const weekMs = Date.UTC(2026, 0, 5);
  const count = (7 * MINUTES_A_DAY) / MIN_MINUTES;
  const isIn = Array.from({ length: count }, (_, quarter) =>
    clocks.some((each) => each(weekMs + quarter * QUARTER_MS)),
  );
  const untilOpen = isIn.map((_, quarter) => {
    const wait = isIn.findIndex((__, ahead) => isIn[(quarter + ahead) % count]);
    return Math.max(0, wait);
  });
  const betweenFrom = (start: number) =>
    seconds.reduce(
      ({ at, waited }, each) => {
        const due = at + Math.ceil((each * 1000) / QUARTER_MS);
        const wait = untilOpen[due % count]!;
        return { at: due + wait, waited: waited + wait };
      },
      { at: start, waited: 0 },
    ).waited;
  const starts = isIn.flatMap((isOpenThen, quarter) => (isOpenThen ? [quarter] : []));
  const most = (quarters: readonly number[]) => (Math.max(0, ...quarters) * QUARTER_MS) / 1000;
  return { first: most(untilOpen), between: most(starts.map(betweenFrom)) };
}

/** Whether a shift that may begin by the one list may always begin by the other. Two weeks are tried, of winter and of summer. */
export function areWithin(windows: readonly Window[], outer: readonly Window[]): boolean {
  if (outer.length === 0 || JSON.stringify(windows) === JSON.stringify(outer)) return true;
  if (windows.length === 0) return false;
  const [inner, around] = [readClocks(windows), readClocks(outer)];
  return [Date.UTC(2026, 0, 5), Date.UTC(2026, 6, 6)].every((weekMs) => {
    for (let minute = 0; minute < 7 * MINUTES_A_DAY; minute += 1) {
      const atMs = weekMs + minute * MINUTE_MS;
      if (inner.some((isIn) => isIn(atMs)) && !around.some((isIn) => isIn(atMs))) return false;
    }
    return true;
  });
}

/** `fri 22:00 to 04:00 Europe/Berlin` */
export function formatWindow({ days, from, to, zone }: Window): string {
  return `${days.length === 0 ? 'every day' : days.join(', ')} ${from} to ${to} ${zone}`;
}

function readClocks(windows: readonly Window[]): ((atMs: number) => boolean)[] {
  return windows.map((window) => {
    const clock = new Intl.DateTimeFormat('en-GB', {
      timeZone: window.zone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
    return (atMs) => isWithin(window, clock.formatToParts(atMs));
  });
}

function isWithin({ days, from, to }: Window, parts: readonly Intl.DateTimeFormatPart[]): boolean {
  const read = (type: Intl.DateTimeFormatPartTypes) => parts.find((part) => part.type === type)?.value ?? '';
  const today = DAYS.findIndex((day) => day === read('weekday').toLowerCase());
  const now = parseTime(`${read('hour')}:${read('minute')}`);
  const begins = (day: number) => days.length === 0 || days.includes(DAYS[(day + 7) % 7]!);
  const [first, last] = [parseTime(from), parseTime(to)];
  if (first < last) return begins(today) && now >= first && now < last;
  return (begins(today) && now >= first) || (begins(today - 1) && now < last);
}

/** Minutes since midnight. */
function parseTime(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * 60 + minutes;
}

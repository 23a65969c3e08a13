/** From and to, in milliseconds since the epoch, and what counts as 0. */
export interface Axis {
  readonly fromMs: number;
  readonly toMs: number;
  readonly zeroMs: number;
}

const [MINUTE, HOUR, DAY] = [60, 3_600, 86_400];
/** Between two labels. Seconds. */
const STEPS = [
  ...[1, 2, 5, 10, 20, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 30 * MINUTE],
  ...[HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 30 * DAY],
];

export interface Tick {
  readonly atMs: number;
  readonly label: string;
}

/** @param room for how many labels */
export function findTicks({ fromMs, toMs, zeroMs }: Axis, room: number): Tick[] {
  const seconds = (toMs - fromMs) / 1000;
  const step = STEPS.find((each) => seconds / each <= Math.max(2, room)) ?? seconds / 2;
  const ticks: Tick[] = [];
  const first = Math.ceil((fromMs - zeroMs) / 1000 / step);
  for (let at = first; zeroMs + at * step * 1000 <= toMs; at += 1) {
    ticks.push({ atMs: zeroMs + at * step * 1000, label: formatTick(at * step, step) });
  }
  return ticks;
}

function formatTick(seconds: number, step: number): string {
  const [size, unit] = step < MINUTE ? [1, 's'] : step < HOUR ? [MINUTE, 'min'] : step < DAY ? [HOUR, 'h'] : [DAY, 'd'];
  return `${Number((seconds / size).toFixed(1)).toLocaleString('en-US')} ${unit}`;
}

/** Since second 0: `12.3 s`, `12 min 30 s`, `3 h 05 min`, `1 d 3 h`. */
export function formatElapsed(ms: number): string {
  const sign = ms < 0 ? '-' : '';
  const seconds = Math.abs(ms) / 1000;
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  if (seconds < 600) return `${sign}${seconds.toFixed(1)} s`;
  if (seconds < HOUR) return `${sign}${Math.floor(seconds / MINUTE)} min ${two(seconds % MINUTE)} s`;
  if (seconds < DAY) return `${sign}${Math.floor(seconds / HOUR)} h ${two((seconds % HOUR) / MINUTE)} min`;
  return `${sign}${Math.floor(seconds / DAY).toLocaleString('en-US')} d ${Math.floor((seconds % DAY) / HOUR)} h`;
}

/** `2026-01-31 23:59:59 UTC`; of a time that is none, `unknown`. */
export function formatDate(ms: number): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return 'unknown';
  return `${date
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, '')} UTC`;
}

/** Where a value is, from 0 to 1, and what is written beside the axis. */
export interface Scale {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

interface Scaled {
  readonly scale: 'linear' | 'log';
  readonly atLeast: number;
  readonly height: number;
}

/** Between two labels. */
const MIN_GAP = 26;

/** So that all of the values fit in. What is no number, or without an end, is at the edge. */
export function findScale({ scale, atLeast, height }: Scaled, values: readonly number[]): Scale {
  const finite = values.filter((value) => Number.isFinite(value));
  const highest = finite.reduce((max, value) => Math.max(max, value), atLeast);
  const room = Math.max(1, Math.floor(height / MIN_GAP));
  return scale === 'log' ? findLog(finite, highest, room) : findLinear(highest, room);
}

function findLinear(highest: number, room: number): Scale {
  const raw = highest / room;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * ([1, 2, 5].find((each) => each * unit >= raw) ?? 10);
  const count = Math.ceil(highest / step - 1e-9);
  const end = count * step;
  return {
    at: (value) => clamp(value / end),
    ticks: Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12))),
  };
}

/** Over whole powers of ten. */
function findLog(values: readonly number[], highest: number, room: number): Scale {
  const above = values.filter((value) => value > 0);
  const lowest = above.reduce((min, value) => Math.min(min, value), 1);
  const from = Math.max(-6, Math.floor(Math.log10(lowest)));
  const to = Math.max(from + 1, Math.ceil(Math.log10(highest) - 1e-9));
  const step = Math.max(1, Math.ceil((to - from) / room));
  const ticks = Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index));
  return {
    at: (value) => (value > 0 ? clamp((Math.log10(value) - from) / (to - from)) : 0),
    ticks: ticks.filter((_, index) => index % step === 0),
  };
}

function clamp(part: number): number {
  return Number.isNaN(part) ? 0 : Math.min(1, Math.max(0, part));
}

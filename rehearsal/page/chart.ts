import { SIDES, Side, formatWeights } from '../../core/traffic/weights';
import type { Sample } from '../progress/samples';

const LEFT = 44;
const RIGHT = 10;
const TOP = 30;
const BOTTOM = 22;
const GAP = 30;
/** Room for a label on the time axis, and for weights above it. */
const LABEL = 54;

/** Colours are those of the page, by class. */
type Band = Side | 'lost';

interface Panel {
  readonly title: string;
  readonly height: number;
  readonly bands: readonly Band[];
  readonly hasLegend?: true;
  /** The highest value that its axis shows at the least. */
  readonly atLeast: number;
  readonly values: (samples: readonly Sample[], index: number) => Partial<Record<Band, number>> | undefined;
}

/** One below the other, over the same time. */
const PANELS: readonly Panel[] = [
  {
    title: 'Requests per second',
    height: 150,
    bands: ['source', 'target'],
    hasLegend: true,
    atLeast: 10,
    values: requestRates,
  },
  { title: 'Losses per second', height: 60, bands: ['lost'], atLeast: 1, values: lossRate },
  { title: 'Live WebSockets and streams', height: 110, bands: ['source', 'target'], atLeast: 10, values: lasting },
];

interface Drawing {
  readonly width: number;
  readonly x: (atMs: number) => number;
  /** From and to, in ms since the epoch, and what counts as second 0. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly zeroMs: number;
}

/**
 * What happened, as one picture with one time axis, the timeline's: second 0 is the start of the execution.
 *
 * @param width in units of the picture; letters are 11 high whatever it is
 */
export function chart(samples: readonly Sample[], startedAt: string, width: number): string {
  const [first] = samples;
  const last = samples.at(-1);
  if (!first || !last || samples.length < 4) return '<p>The rehearsal was too short to be drawn.</p>';
  const drawing: Drawing = {
    width,
    fromMs: first.atMs,
    toMs: last.atMs,
    zeroMs: Date.parse(startedAt),
    x: (atMs) => LEFT + ((width - LEFT - RIGHT) * (atMs - first.atMs)) / Math.max(1, last.atMs - first.atMs),
  };
  let top = TOP;
  const panels = PANELS.map((panel) => {
    const drawn = findPanel(panel, samples, { ...drawing, top });
    top += panel.height + GAP;
    return drawn;
  });
  const bottom = top - GAP;
  return `<svg viewBox="0 0 ${width} ${bottom + BOTTOM}" role="img" aria-label="Requests, losses and connections over time">
${panels.join('\n')}
${timeAxis(drawing, bottom)}
${shifts(samples, drawing, bottom)}
</svg>`;
}

/** Over two samples: half a second alone is restless. */
function rate(samples: readonly Sample[], index: number, value: (sample: Sample) => number): number | undefined {
  const [before, now] = [samples[index - 2], samples[index]];
  if (!before || !now || now.atMs <= before.atMs) return undefined;
  return (1000 * Math.max(0, value(now) - value(before))) / (now.atMs - before.atMs);
}

function requestRates(samples: readonly Sample[], index: number): Partial<Record<Band, number>> | undefined {
  const [source, target] = SIDES.map((side) => rate(samples, index, ({ responses }) => responses[side]));
  return source === undefined || target === undefined ? undefined : { source, target };
}

function lossRate(samples: readonly Sample[], index: number): Partial<Record<Band, number>> | undefined {
  const lost = rate(samples, index, ({ wrong }) => wrong);
  return lost === undefined ? undefined : { lost };
}

function lasting(samples: readonly Sample[], index: number): Partial<Record<Band, number>> | undefined {
  const live = samples[index]?.live;
  if (!live) return undefined;
  const sum = (side: Side) => Object.entries(live[side]).reduce((all, [kind, n]) => all + (kind === 'http' ? 0 : n), 0);
  return { source: sum('source'), target: sum('target') };
}

function findPanel(
  { title, height, bands, hasLegend, atLeast, values }: Panel,
  samples: readonly Sample[],
  { x, width, top }: Drawing & { readonly top: number },
): string {
  const points = samples.flatMap(({ atMs }, index) => {
    const value = values(samples, index);
    return value ? [{ atMs, value }] : [];
  });
  const sums = points.map(({ value }) => bands.reduce((sum, band) => sum + (value[band] ?? 0), 0));
  const highest = Math.max(atLeast, ...sums);
  const y = (value: number) => top + height * (1 - value / highest);
  const areas = bands.map((band, index) => {
    const edge = (value: Partial<Record<Band, number>>, upTo: number) =>
      bands.slice(0, upTo).reduce((sum, each) => sum + (value[each] ?? 0), 0);
    const at = (atMs: number, value: number) => `${x(atMs).toFixed(1)},${y(value).toFixed(1)}`;
    const outline = [
      ...points.map(({ atMs, value }) => at(atMs, edge(value, index + 1))),
      ...[...points].reverse().map(({ atMs, value }) => at(atMs, edge(value, index))),
    ];
    return `<polygon class="fill-${band}" points="${outline.join(' ')}"/>`;
  });
  const ticks = [0, highest].map(
    (value) =>
      `<text x="${LEFT - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${Number(value.toFixed(value < 10 ? 1 : 0))}</text>`,
  );
  const ground = `<line class="axis" x1="${LEFT}" x2="${width - RIGHT}" y1="${y(0)}" y2="${y(0)}"/>`;
  return `<g>${areas.join('')}${ground}<g class="muted" font-size="11">${ticks.join('')}</g>
<text class="ink" x="${LEFT}" y="${top - 6}" font-size="12" font-weight="600">${title}</text>
${hasLegend ? legend(bands, { y: top - 6, right: width - RIGHT }) : ''}</g>`;
}

function legend(bands: readonly Band[], { y, right }: { y: number; right: number }): string {
  const items = bands.map((band, index) => {
    const x = right - (bands.length - index) * 62;
    return `<rect x="${x}" y="${y - 9}" width="10" height="10" class="fill-${band}"/><text x="${x + 14}" y="${y}">${band}</text>`;
  });
  return `<g class="ink" font-size="11">${items.join('')}</g>`;
}

function timeAxis({ x, fromMs, toMs, zeroMs, width }: Drawing, bottom: number): string {
  const room = Math.max(2, Math.floor((width - LEFT - RIGHT) / LABEL));
  const seconds = (toMs - fromMs) / 1000;
  const step = [1, 2, 5, 10, 20, 60, 120, 300].find((each) => seconds / each <= room) ?? 600;
  const first = Math.ceil((fromMs - zeroMs) / 1000 / step) * step;
  const ticks: string[] = [];
  for (let at = first; zeroMs + at * 1000 <= toMs; at += step) {
    ticks.push(`<text x="${x(zeroMs + at * 1000).toFixed(1)}" y="${bottom + 15}" text-anchor="middle">${at} s</text>`);
  }
  return `<g class="muted" font-size="11">${ticks.join('')}</g>`;
}

/** A line through all panels where the weights changed; a label where there is room for it. */
function shifts(samples: readonly Sample[], { x }: Drawing, bottom: number): string {
  const lines: string[] = [];
  let before = '';
  let labelledTo = -Infinity;
  for (const { weights, atMs } of samples) {
    const now = formatWeights(weights);
    if (now === before) continue;
    before = now;
    const at = x(atMs);
    const line = `x1="${at.toFixed(1)}" x2="${at.toFixed(1)}" y1="14" y2="${bottom}"`;
    lines.push(`<line class="mark" ${line}/>`);
    if (at < labelledTo) continue;
    labelledTo = at + LABEL * 0.75;
    lines.push(`<text x="${at.toFixed(1)}" y="10" class="ink" font-size="11" text-anchor="middle">${now}</text>`);
  }
  return lines.join('');
}

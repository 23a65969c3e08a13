import { longLived } from '../../core/task-protection';
import { SIDES, Side, formatWeights } from '../../core/weights';
import type { Sample } from './samples';

const WIDTH = 900;
const HEIGHT = 240;
const LEFT = 44;
const RIGHT = 8;
const BOTTOM = 28;
const TOP = 34;
const COLOURS: Record<Side, string> = { source: '#0969da', target: '#2da44e' };

interface Point {
  readonly seconds: number;
  readonly source: number;
  readonly target: number;
}

/** The requests per second of both sides, one on the other, with a line where the weights changed. */
export function requestsChart(samples: readonly Sample[]): string {
  // Over two samples: half a second alone is restless.
  return stackedChart('Requests per second', samples, (sample, index) => {
    const before = samples[index - 2];
    if (!before) return undefined;
    const seconds = (sample.atMs - before.atMs) / 1000;
    const rate = (side: Side) => Math.max(0, (sample.answers[side] - before.answers[side]) / seconds);
    return { source: rate('source'), target: rate('target') };
  });
}

/** The live WebSockets and streams of both sides, as their ledgers counted them. */
export function ledgerChart(samples: readonly Sample[]): string {
  return stackedChart('Live WebSockets and streams', samples, ({ live }) => {
    const lasting = (side: Side) => longLived(live[side]);
    return { source: lasting('source'), target: lasting('target') };
  });
}

type Values = (sample: Sample, index: number) => Omit<Point, 'seconds'> | undefined;

function stackedChart(title: string, samples: readonly Sample[], values: Values): string {
  const [first] = samples;
  const startMs = first?.atMs ?? 0;
  const points = samples.flatMap((sample, index) => {
    const both = values(sample, index);
    return both ? [{ seconds: (sample.atMs - startMs) / 1000, ...both }] : [];
  });
  if (points.length < 2) return '<p>The rehearsal was too short to be drawn.</p>';
  const seconds = points.at(-1)?.seconds ?? 1;
  const highest = Math.max(10, ...points.map(({ source, target }) => source + target)) * 1.05;
  const scale: Scale = {
    x: (at) => LEFT + ((WIDTH - LEFT - RIGHT) * at) / seconds,
    y: (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / highest),
  };
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title} by side over ${seconds.toFixed(0)} seconds">
<title>${title}</title>
${area(points, scale, COLOURS.source, ({ source }) => [0, source])}
${area(points, scale, COLOURS.target, ({ source, target }) => [source, source + target])}
${axis(scale, seconds, highest / 1.05)}
${shifts(samples, startMs, scale)}
${SIDES.map(legend).join('')}
</svg>`;
}

interface Scale {
  readonly x: (seconds: number) => number;
  readonly y: (value: number) => number;
}

function area(
  points: readonly Point[],
  { x, y }: Scale,
  colour: string,
  edges: (point: Point) => readonly [number, number],
): string {
  const at = (point: Point, edge: 0 | 1) => `${x(point.seconds).toFixed(1)},${y(edges(point)[edge]).toFixed(1)}`;
  const outline = [...points.map((point) => at(point, 1)), ...[...points].reverse().map((point) => at(point, 0))];
  return `<polygon points="${outline.join(' ')}" fill="${colour}" fill-opacity=".55"/>`;
}

function axis({ x, y }: Scale, seconds: number, highest: number): string {
  const step = [5, 10, 20, 60, 300].find((each) => seconds / each <= 12) ?? 600;
  const ticks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => index * step);
  const times = ticks.map(
    (at) => `<text x="${x(at).toFixed(1)}" y="${HEIGHT - 8}" text-anchor="middle">${at} s</text>`,
  );
  const values = [0, 0.5, 1].map((share) => {
    const value = Math.round(share * highest);
    return `<text x="${LEFT - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${value}</text>`;
  });
  const ground = `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(0)}" y2="${y(0)}" stroke="#8c959f"/>`;
  return `<g font-size="11" fill="#57606a">${times.join('')}${values.join('')}</g>${ground}`;
}

function shifts(samples: readonly Sample[], startMs: number, { x }: Scale): string {
  const lines: string[] = [];
  let before = '';
  for (const { weights, atMs } of samples) {
    const now = formatWeights(weights);
    if (now === before) continue;
    const at = x((atMs - startMs) / 1000).toFixed(1);
    lines.push(
      `<line x1="${at}" x2="${at}" y1="${TOP - 6}" y2="${HEIGHT - BOTTOM}" stroke="#57606a" stroke-dasharray="3 3"/>`,
      `<text x="${at}" y="${TOP - 9}" font-size="11" text-anchor="middle">${now}</text>`,
    );
    before = now;
  }
  return lines.join('');
}

function legend(side: Side, index: number): string {
  const x = LEFT + index * 90;
  const box = `<rect x="${x}" y="2" width="10" height="10" fill="${COLOURS[side]}" fill-opacity=".55"/>`;
  return `${box}<text x="${x + 14}" y="11" font-size="12">${side}</text>`;
}

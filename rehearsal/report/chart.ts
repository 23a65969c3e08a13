import { SIDES, Side, formatWeights } from '../../core/weights';
import type { Picture } from './evidence';
import type { Sample } from './samples';

const WIDTH = 900;
const HEIGHT = 280;
const LEFT = 44;
const BOTTOM = 28;
const TOP = 34;
const COLOURS: Record<Side, string> = { source: '#0969da', target: '#2da44e' };

interface Rate {
  readonly seconds: number;
  readonly source: number;
  readonly target: number;
}

/** The requests per second of both sides, one on the other, with a line where the weights changed. */
export function chart({ samples, evidence }: Picture): string {
  const [first] = samples;
  if (!first || samples.length < 3) return '<p>The rehearsal was too short to be drawn.</p>';
  const rates = ratesOf(samples, first.atMs);
  const seconds = rates.at(-1)?.seconds ?? 1;
  const highest = Math.max(10, ...rates.map(({ source, target }) => source + target)) * 1.05;
  const x = (at: number) => LEFT + ((WIDTH - LEFT - 8) * at) / seconds;
  const y = (rate: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - rate / highest);
  const area = (of: (rate: Rate) => readonly [number, number], colour: string) => {
    const tops = rates.map((rate) => `${x(rate.seconds).toFixed(1)},${y(of(rate)[1]).toFixed(1)}`);
    const bases = rates.map((rate) => `${x(rate.seconds).toFixed(1)},${y(of(rate)[0]).toFixed(1)}`).reverse();
    return `<polygon points="${[...tops, ...bases].join(' ')}" fill="${colour}" fill-opacity=".55"/>`;
  };
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Requests per second by side over ${seconds.toFixed(0)} seconds">
${area(({ source }) => [0, source], COLOURS.source)}
${area(({ source, target }) => [source, source + target], COLOURS.target)}
${axis(x, y, seconds, highest)}
${shifts(samples, first.atMs, x)}
${SIDES.map((side, index) => `<rect x="${LEFT + index * 90}" y="2" width="10" height="10" fill="${COLOURS[side]}" fill-opacity=".55"/><text x="${LEFT + 14 + index * 90}" y="11" font-size="12">${side}</text>`).join('')}
<title>${evidence.outcome}</title>
</svg>`;
}

function ratesOf(samples: readonly Sample[], startMs: number): Rate[] {
  const rates: Rate[] = [];
  for (const [index, sample] of samples.entries()) {
    // Over two samples: half a second alone is restless.
    const before = samples[index - 2];
    if (!before) continue;
    const seconds = (sample.atMs - before.atMs) / 1000;
    const rate = (side: Side) => (sample.answers[side] - before.answers[side]) / seconds;
    rates.push({ seconds: (sample.atMs - startMs) / 1000, source: rate('source'), target: rate('target') });
  }
  return rates;
}

function axis(x: (at: number) => number, y: (rate: number) => number, seconds: number, highest: number): string {
  const step = [5, 10, 20, 60, 300].find((each) => seconds / each <= 12) ?? 600;
  const ticks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => index * step);
  const labels = ticks.map(
    (at) => `<text x="${x(at).toFixed(1)}" y="${HEIGHT - 8}" text-anchor="middle">${at} s</text>`,
  );
  const rates = [0, 0.5, 1].map((share) => {
    const rate = Math.round((share * highest) / 1.05);
    return `<text x="${LEFT - 6}" y="${(y(rate) + 4).toFixed(1)}" text-anchor="end">${rate}</text>`;
  });
  return `<g font-size="11" fill="#57606a">${labels.join('')}${rates.join('')}</g><line x1="${LEFT}" x2="${WIDTH - 8}" y1="${y(0)}" y2="${y(0)}" stroke="#8c959f"/>`;
}

function shifts(samples: readonly Sample[], startMs: number, x: (at: number) => number): string {
  const lines: string[] = [];
  let before = '';
  for (const { weights, atMs } of samples) {
    const now = formatWeights(weights);
    if (now === before) continue;
    const at = x((atMs - startMs) / 1000).toFixed(1);
    lines.push(
      `<line x1="${at}" x2="${at}" y1="${TOP - 6}" y2="${HEIGHT - BOTTOM}" stroke="#57606a" stroke-dasharray="3 3"/>`,
    );
    lines.push(`<text x="${at}" y="${TOP - 9}" font-size="11" text-anchor="middle">${now}</text>`);
    before = now;
  }
  return lines.join('');
}

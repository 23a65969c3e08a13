import { escape } from './markup';
import type { Phase } from './data/phases';
import { Axis, findTicks } from './data/time-axis';
import { findScale } from './value-axis';

/** For values and their unit. */
const LEFT = 56;
const RIGHT = 12;
const GAP = 30;
const LETTERS = 12;
/** Of a letter, on average. */
const LETTER = 6.6;
/** Room for a label on the time axis. */
const LABEL = 58;
const STRIP = 20;
const LEGEND = 20;
/** The page has one for each; style.ts says where it changes from one to the other. A telephone held upright, less its margins. */
const WIDTHS = { wide: 900, narrow: 360 } as const;

/** What is drawn alike: colours and hatching are those of the page, by class. */
export type Band = 'source' | 'target' | 'lost' | 'odds';

/** What was so from one time to another. A band that is absent was not known. */
export interface Step {
  readonly fromMs: number;
  readonly toMs: number;
  readonly values: Readonly<Partial<Record<Band, number>>>;
}

export interface Panel {
  readonly title: string;
  readonly height: number;
  /** `areas` stand one on the other; `lines` each by itself. */
  readonly kind: 'areas' | 'lines';
  readonly bands: readonly Band[];
  readonly steps: readonly Step[];
  readonly scale: 'linear' | 'log';
  /** What the axis shows at the least. */
  readonly atLeast: number;
  readonly format: (value: number) => string;
  /** A line across, with its words. */
  readonly limit?: { readonly value: number; readonly label: string };
}

export interface Figure {
  /** Unique in the page. */
  readonly id: string;
  readonly title: string;
  /** What it shows, for a person who does not see it. */
  readonly text: string;
  readonly axis: Axis;
  readonly phases: readonly Phase[];
  readonly legend: readonly Band[];
  /** When the weights changed. */
  readonly marks: readonly number[];
  readonly panels: readonly Panel[];
}

/** The same picture twice: where there is little room the narrow one is shown, whose letters are as large. */
export function figure(drawn: Figure, note: string): string {
  const each = (['wide', 'narrow'] as const).map(
    (size) => `<div class="${size}">${draw(drawn, `${drawn.id}-${size}`, WIDTHS[size])}</div>`,
  );
  return `<figure>${each.join('\n')}\n<figcaption class="note">${escape(note)}</figcaption></figure>`;
}

interface Canvas {
  readonly width: number;
  readonly id: string;
  readonly axis: Axis;
  readonly x: (atMs: number) => number;
}

function draw({ title, text, axis, phases, legend, marks, panels }: Figure, id: string, width: number): string {
  const { fromMs, toMs } = axis;
  const room = width - LEFT - RIGHT;
  const x = (atMs: number) =>
    LEFT + (room * (Math.min(toMs, Math.max(fromMs, atMs)) - fromMs)) / Math.max(1, toMs - fromMs);
  const canvas: Canvas = { width, id, axis, x };
  const stripTop = legend.length > 0 ? LEGEND : 2;
  let top = stripTop + (phases.length > 0 ? STRIP : 0) + GAP;
  const drawn = panels.map((panel) => {
    const place = top;
    top += panel.height + GAP;
    return drawPanel(panel, canvas, place);
  });
  const bottom = top - GAP;
  const lines = marks.map((atMs) => {
    const at = round(x(atMs));
    return `<line class="mark" x1="${at}" x2="${at}" y1="${stripTop}" y2="${bottom}"/>`;
  });
  return `<svg class="figure" viewBox="0 0 ${width} ${bottom + 24}" role="img" aria-labelledby="${id}-title ${id}-text">
<title id="${id}-title">${escape(title)}</title><desc id="${id}-text">${escape(text)}</desc>
<defs><pattern id="${id}-hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="under-target" width="5" height="5"/><line class="hatch" x1="0" y1="0" x2="0" y2="5"/></pattern></defs>
${drawLegend(legend, canvas)}${phases.map((phase) => drawPhase(phase, canvas, stripTop)).join('')}
${drawn.join('\n')}
${lines.join('')}
${drawTimes(canvas, bottom)}
</svg>`;
}

function fill(band: Band, { id }: Canvas): string {
  return band === 'target' ? `fill="url(#${id}-hatch)"` : `class="fill-${band}"`;
}

function drawLegend(legend: readonly Band[], canvas: Canvas): string {
  const items = legend.map((band, index) => {
    const x = LEFT + index * 96;
    return `<rect ${fill(band, canvas)} x="${x}" y="3" width="14" height="10"/><line class="line-${band}" x1="${x + 18}" x2="${x + 38}" y1="8" y2="8"/><text class="ink" x="${x + 43}" y="12">${band}</text>`;
  });
  return `<g>${items.join('')}</g>\n`;
}

function drawPhase({ name, fromMs, toMs, isBack }: Phase, { x }: Canvas, top: number): string {
  const [from, to] = [x(fromMs), x(toMs)];
  const hasRoom = name.length * LETTER + 4 <= to - from;
  const text = hasRoom
    ? `<text class="ink" x="${round((from + to) / 2)}" y="${top + 14}" text-anchor="middle">${escape(name)}</text>`
    : '';
  const box = `x="${round(from)}" y="${top}" width="${round(Math.max(0.5, to - from))}" height="${STRIP - 1}"`;
  return `<g><rect class="phase${isBack ? ' back' : ''}" ${box}><title>${escape(name)}</title></rect>${text}</g>`;
}

function drawPanel(panel: Panel, canvas: Canvas, top: number): string {
  const { title, height, kind, format, limit } = panel;
  const { width, x, axis } = canvas;
  const scale = findScale(panel, findValues(panel));
  const y = (value: number) => top + height * (1 - scale.at(value));
  const body = kind === 'areas' ? drawAreas(panel, canvas, y) : drawLines(panel, canvas, y);
  const grid = scale.ticks.map((value) => {
    const at = round(y(value));
    return `<line class="grid" x1="${LEFT}" x2="${width - RIGHT}" y1="${at}" y2="${at}"/><text class="muted" x="${LEFT - 6}" y="${round(y(value) + 4)}" text-anchor="end">${escape(format(value))}</text>`;
  });
  const atLimit = limit ? drawLimit(limit, canvas, { at: y(limit.value), top }) : '';
  const ground = `<line class="axis" x1="${LEFT}" x2="${round(x(axis.toMs))}" y1="${top + height}" y2="${top + height}"/>`;
  return `<g>${grid.join('')}${ground}${body}${atLimit}
<text class="ink title" x="${LEFT}" y="${top - 8}">${escape(title)}</text></g>`;
}

function drawLimit(
  { label }: NonNullable<Panel['limit']>,
  { width }: Canvas,
  { at, top }: { readonly at: number; readonly top: number },
): string {
  const y = at - 5 < top + LETTERS ? at + LETTERS + 3 : at - 5;
  return `<line class="limit" x1="${LEFT}" x2="${width - RIGHT}" y1="${round(at)}" y2="${round(at)}"/><text class="limit-label" x="${width - RIGHT - 2}" y="${round(y)}" text-anchor="end">${escape(label)}</text>`;
}

/** What has to fit in: the sum of areas, each of the lines. */
function findValues({ kind, bands, steps, limit }: Panel): number[] {
  const values = steps.flatMap((step) => {
    const each = bands.flatMap((band) => step.values[band] ?? []);
    return kind === 'areas' ? [each.reduce((sum, value) => sum + value, 0)] : each;
  });
  return limit ? [...values, limit.value] : values;
}

type Y = (value: number) => number;

/** The runs of steps that follow each other: what is between them was not known. */
function findRuns(steps: readonly Step[], isKnown: (step: Step) => boolean): Step[][] {
  const runs: Step[][] = [];
  let last: Step | undefined;
  for (const step of steps) {
    if (!isKnown(step)) last = undefined;
    else {
      // Of steps that meet the clock may have a second between them.
      if (last && step.fromMs - last.toMs <= Math.max(1_000, last.toMs - last.fromMs)) runs.at(-1)!.push(step);
      else runs.push([step]);
      last = step;
    }
  }
  return runs;
}

function drawAreas({ bands, steps }: Panel, canvas: Canvas, y: Y): string {
  const runs = findRuns(steps, ({ values }) => bands.every((band) => values[band] !== undefined));
  const shapes = runs.flatMap((run) =>
    bands.map((band, index) => {
      const upTo = (step: Step, count: number) =>
        bands.slice(0, count).reduce((sum, each) => sum + (step.values[each] ?? 0), 0);
      const upper = outline(run, (step) => upTo(step, index + 1), canvas, y);
      const lower = outline(run, (step) => upTo(step, index), canvas, y).reverse();
      const isNone = run.every((step) => !step.values[band]);
      return isNone ? '' : `<polygon ${fill(band, canvas)} points="${[...upper, ...lower].join(' ')}"/>`;
    }),
  );
  return shapes.join('');
}

function drawLines({ bands, steps }: Panel, canvas: Canvas, y: Y): string {
  const paths = bands.flatMap((band) => {
    const own = bands.length === 1 ? steps : steps.filter(({ values }) => values[band] !== undefined);
    const runs = findRuns(own, ({ values }) => values[band] !== undefined);
    return runs.map((run) => {
      const points = outline(run, (step) => step.values[band] ?? 0, canvas, y);
      return `<polyline class="line-${band}" points="${points.join(' ')}"/>`;
    });
  });
  return paths.join('');
}

function outline(run: readonly Step[], find: (step: Step) => number, { x }: Canvas, y: Y): string[] {
  return run.flatMap((step, index) => {
    const at = round(y(find(step)));
    const next = run[index + 1];
    return [`${round(x(step.fromMs))},${at}`, `${round(x(next ? next.fromMs : step.toMs))},${at}`];
  });
}

function drawTimes({ axis, x, width }: Canvas, bottom: number): string {
  const ticks = findTicks(axis, Math.floor((width - LEFT - RIGHT) / LABEL));
  const labels = ticks.map(({ atMs, label }) => {
    const at = x(atMs);
    const anchor = at > width - RIGHT - LABEL / 3 ? 'end' : 'middle';
    return `<text class="muted" x="${round(anchor === 'end' ? width - 2 : at)}" y="${bottom + 17}" text-anchor="${anchor}">${escape(label)}</text>`;
  });
  return `<g>${labels.join('')}</g>`;
}

function round(value: number): string {
  return String(Number(value.toFixed(1)));
}

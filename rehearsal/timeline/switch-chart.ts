import { printableLine } from '../../core/text/printable';
import type { Handover } from '../writes/handover';
import { colour, palette } from './palette';
import { Phase, PhaseName, TaskRow, TracedSwitch, findTaskRows, formatMs } from './task-phases';
import { describeSwitch } from './switch-words';

const LABELS = 92;
const RIGHT = 12;
const ROW = 22;
/** Of a bar within its row: who serves is thin, who holds is thick. */
const THIN = 6;
const THICK = 14;
const LETTERS = 11;
/** Behind the last event, for words. */
const TAIL = 76;
/** Beyond them the evidence has the rest. */
const MAX_ROWS = 24;
/** For one item of the legend. */
const LEGEND = 168;
const LINE = 15;
/** The least width of a phase that was there: what is short is seen, too. */
const MIN_WIDTH = 1.5;

/** Drawn in these; `serving` in the colour of the side. Texture and thickness say the same as the colour. */
const FILLS: Readonly<Record<Exclude<PhaseName, 'serving'>, string>> = {
  busy: 'busy',
  empty: 'empty',
  deciding: 'deciding',
  notHolding: 'lost',
  silent: 'silent',
  stopped: 'stopped',
};
const WORDS: Readonly<Record<string, string>> = {
  source: 'forwards to the source',
  target: 'forwards to the target',
  busy: 'holds, requests in flight',
  empty: 'holds, nothing in flight',
  deciding: 'asks for the decision',
  lost: 'should hold, does not',
  silent: 'does not respond',
  stopped: 'has stopped',
};

const STYLE = `
.tl text { font: ${LETTERS}px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: ${colour('ink')}; }
/* Words stay readable where a line crosses them. */
.tl text { paint-order: stroke; stroke: ${colour('page')}; stroke-width: 3px; stroke-linejoin: round; }
.tl .muted { fill: ${colour('muted')}; } .tl .strong { font-weight: 600; }
.tl .source { fill: ${colour('source')}; } .tl .target { fill: ${colour('target')}; }
.tl .busy { fill: ${colour('busy')}; } .tl .empty { fill: ${colour('axis')}; } .tl .deciding { fill: ${colour('busy')}; fill-opacity: .45; }
.tl .lost { fill: ${colour('lost')}; } .tl .silent { fill: ${colour('lost')}; fill-opacity: .45; } .tl .stopped { fill: ${colour('line')}; }
.tl .between { fill-opacity: .4; } .tl .axis { stroke: ${colour('axis')}; } .tl .mark { stroke: ${colour('muted')}; stroke-dasharray: 3 3; }
.tl .decided { stroke: ${colour('ink')}; stroke-width: 1.5; } .tl .stripe { stroke: ${colour('page')}; stroke-width: 1.5; }
`;

/** Of a page with such charts, beside the palette. */
export const TIMELINE_STYLE = STYLE;

export interface Drawn {
  readonly record: TracedSwitch;
  /** What clients and backends saw of it. */
  readonly handover: Handover | undefined;
}

/**
 * One switch, over the time from its first call to hold: a row for each task of both sides, what the backends wrote and the
 * clients got, and the decision through all of them.
 *
 * @param id unique in the page
 * @param width in units of the chart; letters are 11 high whatever it is
 * @throws Error where the trace is not as a switch writes it
 */
export function switchChart(drawn: Drawn, id: string, width: number): string {
  const { body, height } = draw(drawn, id, width);
  return `<svg class="tl" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-title ${id}-text">
${body}
</svg>`;
}

/** The same as a file of its own: readable on a light and on a dark page. */
export function switchImage(drawn: Drawn, width: number): string {
  const { body, height } = draw(drawn, 'switch', width);
  return `<svg xmlns="http://www.w3.org/2000/svg" class="tl" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="switch-title switch-text">
<style>
${palette(':root')}${STYLE}</style>
<rect width="${width}" height="${height}" style="fill: ${colour('page')}"/>
${body}
</svg>
`;
}

interface Scale {
  readonly width: number;
  readonly fromMs: number;
  readonly toMs: number;
  /** Of a time, in units of the chart. What is outside is at the edge. */
  readonly x: (ms: number) => number;
}

function draw({ record, handover }: Drawn, id: string, width: number): { body: string; height: number } {
  const rows = findTaskRows(record.trace);
  const scale = findScale({ record, handover }, rows, width);
  const marks = listMarks(record);
  const top = 8 + marks.length * LINE;
  const lanes = [
    ...rows.slice(0, MAX_ROWS).map((row) => (y: number) => drawTask(row, scale, id, y)),
    ...(rows.length > MAX_ROWS ? [(y: number) => rowLabel(`and ${rows.length - MAX_ROWS} more`, y)] : []),
    ...hookLane(record, scale),
    ...writeLanes(record, handover, scale),
    ...clientLane(record, handover, scale),
  ];
  const bottom = top + lanes.length * ROW;
  const legend = drawLegend(rows, id, { width, top: bottom + 24 });
  const { title, sentences } = describeSwitch(record, handover);
  const body = [
    `<title id="${id}-title">${escape(title)}</title>`,
    `<desc id="${id}-text">${escape(sentences.join(' '))}</desc>`,
    `<defs><pattern id="${id}-busy" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="busy" width="6" height="6"/><line class="stripe" x1="0" y1="0" x2="0" y2="6"/></pattern></defs>`,
    ...marks.map(({ atMs, isDecision }, at) => drawLine(scale.x(atMs), isDecision, { top: 5 + at * LINE, bottom })),
    ...lanes.map((lane, at) => lane(top + at * ROW)),
    ...marks.map((mark, at) => drawMark(mark, scale, 14 + at * LINE)),
    timeAxis(scale, bottom),
    legend.body,
  ].join('\n');
  return { body, height: bottom + 24 + legend.height };
}

function findScale({ record, handover }: Drawn, rows: readonly TaskRow[], width: number): Scale {
  const { trace, releasedMs = 0, decidedMs = 0 } = record;
  const found = rows.flatMap(({ phases }) => phases.slice(1).map(({ untilMs }) => untilMs));
  const seen = [handover?.firstResponseMs, handover?.firstWriteMs].flatMap((ms) => ms ?? []);
  const settled = trace.events.flatMap(({ kind, atMs }) => (kind === 'settle' ? [atMs] : []));
  const endMs = Math.max(1, releasedMs, decidedMs, ...found, ...settled, ...seen);
  const room = width - LABELS - RIGHT;
  const [fromMs, toMs] = [-0.1 * endMs, endMs * (1 + TAIL / (room - TAIL))];
  const x = (ms: number) => LABELS + (room * (Math.min(toMs, Math.max(fromMs, ms)) - fromMs)) / (toMs - fromMs);
  return { width, fromMs, toMs, x };
}

/** It was in a phase from one time on, or from a later one: what is between is drawn pale. */
function drawTask({ label, phases }: TaskRow, scale: Scale, id: string, y: number): string {
  const bars = phases.map((phase, at) => {
    const endMs = phases[at + 1]?.fromMs ?? scale.toMs;
    const [from, sure, end] = [scale.x(phase.fromMs), scale.x(phase.untilMs), scale.x(endMs)];
    const between = sure > from ? drawBar(phase, { from, to: sure, y }, id, ' between') : '';
    return between + drawBar(phase, { from: sure, to: Math.max(end, sure + MIN_WIDTH), y }, id, '');
  });
  return `<g>${rowLabel(label, y)}${bars.join('')}</g>`;
}

interface Place {
  readonly from: number;
  readonly to: number;
  readonly y: number;
}

function drawBar({ name, side = 'source' }: Phase, { from, to, y }: Place, id: string, added: string): string {
  const height = name === 'serving' ? THIN : THICK;
  const fill = name === 'busy' ? ` style="fill: url(#${id}-busy)"` : '';
  const kind = name === 'serving' ? side : FILLS[name];
  return bar(`${kind}${added}`, { from, to, y }, height, fill);
}

function bar(kind: string, { from, to, y }: Place, height: number, fill = ''): string {
  const top = y + (ROW - height) / 2;
  return `<rect class="${kind}" x="${round(from)}" y="${top}" width="${round(to - from)}" height="${height}"${fill}/>`;
}

function rowLabel(label: string, y: number): string {
  return `<text x="${LABELS - 8}" y="${y + 15}" text-anchor="end">${escape(label)}</text>`;
}

type Lane = (y: number) => string;

function hookLane({ trace }: TracedSwitch, { x, toMs }: Scale): Lane[] {
  const calls = trace.events.flatMap((event) => (event.kind === 'hook' ? [event] : []));
  const started = calls.find(({ state }) => state === 'started');
  if (!started) return [];
  const ended = calls.find(({ state }) => state !== 'started');
  const place = { from: x(started.atMs), to: Math.max(x(ended?.atMs ?? toMs), x(started.atMs) + MIN_WIDTH) };
  const kind = ended?.state === 'passed' ? 'empty' : 'lost';
  return [(y) => `<g>${rowLabel('hook', y)}${bar(kind, { ...place, y }, THICK)}</g>`];
}

/** By the logs of both backends: what must not overlap. */
function writeLanes({ from, to }: TracedSwitch, handover: Handover | undefined, { x, toMs, fromMs }: Scale): Lane[] {
  const { lastWriteMs, firstWriteMs } = handover ?? {};
  const left = lastWriteMs === undefined ? [] : [{ side: from, from: x(fromMs), to: x(lastWriteMs), ms: lastWriteMs }];
  const next = firstWriteMs === undefined ? [] : [{ side: to, from: x(firstWriteMs), to: x(toMs), ms: firstWriteMs }];
  return [...left, ...next].map(({ side, ms, ...place }, at) => (y: number) => {
    const isLeft = at === 0 && left.length > 0;
    const label = isLeft ? `last ${formatMs(ms)}` : `first ${formatMs(ms)}`;
    const text = besides(label, isLeft ? place.to : place.from, y, isLeft ? 'start' : 'end');
    return `<g>${rowLabel(`${side} writes`, y)}${bar(side, { ...place, y }, THIN)}${text}</g>`;
  });
}

/** What clients got: the last of the one side, and the first of the other. */
function clientLane({ from, to }: TracedSwitch, handover: Handover | undefined, scale: Scale): Lane[] {
  const { lastResponseMs, firstResponseMs } = handover ?? {};
  const dots = [
    { side: from, ms: lastResponseMs, anchor: 'end' },
    { side: to, ms: firstResponseMs, anchor: 'start' },
  ] as const;
  const lanes = dots.flatMap(({ side, ms }): Lane[] => {
    if (ms === undefined) return [];
    const at = scale.x(ms);
    const label = `${side === from ? 'last' : 'first'} ${formatMs(ms)}`;
    const anchor = at > scale.width / 2 ? 'end' : 'start';
    const text = (y: number) => besides(label, at + (anchor === 'end' ? -4 : 4), y, anchor);
    return [
      (y) =>
        `<g>${rowLabel(`${side} clients`, y)}<circle class="${side}" cx="${round(at)}" cy="${y + ROW / 2}" r="4.5"/>${text(y)}</g>`,
    ];
  });
  return lanes;
}

function besides(text: string, x: number, y: number, anchor: 'start' | 'end'): string {
  const at = anchor === 'start' ? x + 5 : x - 5;
  return `<text class="muted" x="${round(at)}" y="${y + 15}" text-anchor="${anchor}">${text}</text>`;
}

interface Mark {
  readonly text: string;
  readonly atMs: number;
  readonly isDecision?: boolean;
}

function listMarks({ outcome, decidedMs, releasedMs, from, to }: TracedSwitch): Mark[] {
  const side = outcome === 'commit' ? to : from;
  return [
    { text: 'first call to hold', atMs: 0 },
    ...(decidedMs === undefined
      ? []
      : [{ text: `decision: ${outcome}, ${formatMs(decidedMs)}`, atMs: decidedMs, isDecision: true }]),
    ...(releasedMs === undefined
      ? []
      : [{ text: `released to the ${side}, ${formatMs(releasedMs)}`, atMs: releasedMs }]),
  ];
}

function drawLine(
  x: number,
  isDecision: boolean | undefined,
  { top, bottom }: { top: number; bottom: number },
): string {
  return `<line class="${isDecision ? 'decided' : 'mark'}" x1="${round(x)}" x2="${round(x)}" y1="${top}" y2="${bottom}"/>`;
}

function drawMark({ text, atMs, isDecision }: Mark, { x, width }: Scale, y: number): string {
  const at = x(atMs);
  const anchor = at > width / 2 ? 'end' : 'start';
  return `<text class="${isDecision ? 'strong' : 'muted'}" x="${round(at + (anchor === 'end' ? -5 : 5))}" y="${y}" text-anchor="${anchor}">${text}</text>`;
}

function timeAxis({ x, fromMs, toMs, width }: Scale, bottom: number): string {
  const room = Math.max(2, Math.floor((width - LABELS - RIGHT) / 70));
  const raw = (toMs - fromMs) / room;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * ([1, 2, 5].find((each) => each * unit >= raw) ?? 10);
  const ticks: string[] = [];
  for (let ms = Math.ceil(fromMs / step) * step; ms <= toMs; ms += step) {
    const text = formatMs(Number(ms.toFixed(1)));
    ticks.push(`<text class="muted" x="${round(x(ms))}" y="${bottom + 16}" text-anchor="middle">${text}</text>`);
  }
  const ground = `<line class="axis" x1="${LABELS}" x2="${width - RIGHT}" y1="${bottom}" y2="${bottom}"/>`;
  return `<g>${ground}${ticks.join('')}</g>`;
}

/** Of what is there alone. */
function drawLegend(rows: readonly TaskRow[], id: string, { width, top }: { width: number; top: number }) {
  const drawn = rows.flatMap(({ phases }) => phases);
  const kinds = Object.keys(WORDS).filter((kind) =>
    drawn.some(({ name, side }) => (name === 'serving' ? side === kind : FILLS[name] === kind)),
  );
  const columns = Math.max(1, Math.floor(width / LEGEND));
  const items = kinds.map((kind, at) => {
    const [x, y] = [(at % columns) * LEGEND + 8, top + Math.floor(at / columns) * LINE];
    const isServing = kind === 'source' || kind === 'target';
    const fill = kind === 'busy' ? ` style="fill: url(#${id}-busy)"` : '';
    const height = isServing ? THIN : 10;
    const swatch = `<rect class="${kind}" x="${x}" y="${y + 7 - height / 2}" width="18" height="${height}"${fill}/>`;
    return `${swatch}<text class="muted" x="${x + 24}" y="${y + 11}">${WORDS[kind]}</text>`;
  });
  return { body: `<g>${items.join('')}</g>`, height: Math.ceil(kinds.length / columns) * LINE + 6 };
}

function round(value: number): string {
  return String(Number(value.toFixed(1)));
}

function escape(text: string): string {
  return printableLine(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

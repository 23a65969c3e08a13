import { printableLine } from '../../core/text/printable';
import type { SwitchRecord } from '../../core/switch/switch-record';
import { describeOutcome } from './switch-words';
import { Phase, PhaseName, TaskRow, TracedSwitch, describePhases, findTaskRows, isTraced } from './task-phases';

/** Of the strip of a task. */
const CELLS = 32;

type Glyph = Exclude<PhaseName, 'serving'> | 'source' | 'target';

const GLYPHS: Readonly<Record<Glyph, { readonly character: string; readonly words: string }>> = {
  source: { character: '─', words: 'to the source' },
  target: { character: '═', words: 'to the target' },
  busy: { character: '▒', words: 'holds, requests in flight' },
  empty: { character: '█', words: 'holds, nothing in flight' },
  deciding: { character: '?', words: 'asks for the decision' },
  notHolding: { character: '!', words: 'should hold, does not' },
  silent: { character: '·', words: 'does not respond' },
  stopped: { character: '×', words: 'has stopped' },
};

export type Painter = (glyph: Glyph, text: string) => string;

/**
 * One attempt as lines of text: what became of it, and a strip of time for each task.
 *
 * @param paint gives a part of a strip its colour
 */
export function listSwitchLines(record: SwitchRecord, paint: Painter): string[] {
  const headline = printableLine(describeOutcome(record));
  if (!isTraced(record)) return [headline];
  try {
    return [headline, ...listStrips(record, paint)];
  } catch {
    // A trace that no switch can have written: the summary names what is wrong with it.
    return [headline];
  }
}

function listStrips(record: TracedSwitch, paint: Painter): string[] {
  const rows = findTaskRows(record.trace);
  const { releasedMs = 0, decidedMs = 0 } = record;
  const found = rows.flatMap(({ phases }) => phases.slice(1).map(({ untilMs }) => untilMs));
  const endMs = Math.max(1, releasedMs, decidedMs, ...found);
  const width = Math.max(...rows.map(({ label }) => label.length));
  const used = new Set<Glyph>();
  const strips = rows.map((row) => {
    const glyphs = listCells(row, endMs);
    glyphs.forEach((glyph) => used.add(glyph));
    const strip = glyphs.map((glyph) => paint(glyph, GLYPHS[glyph].character)).join('');
    return `  ${row.label.padEnd(width)}  ${strip}  ${describePhases(row)}`;
  });
  const legend = [...used].map((glyph) => `${paint(glyph, GLYPHS[glyph].character)} ${GLYPHS[glyph].words}`);
  return [...strips, `  ${''.padEnd(width)}  ${legend.join('  ')}`];
}

function listCells({ phases }: TaskRow, endMs: number): Glyph[] {
  return Array.from({ length: CELLS }, (_, cell) => {
    // A tenth before the first call to hold, and a tenth after the end.
    const atMs = endMs * (1.2 * ((cell + 0.5) / CELLS) - 0.1);
    const phase = phases.findLast(({ untilMs }) => untilMs <= atMs) ?? phases[0]!;
    return findGlyph(phase);
  });
}

function findGlyph({ name, side = 'source' }: Phase): Glyph {
  return name === 'serving' ? side : name;
}

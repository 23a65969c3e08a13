import { PHASES } from './phases';
import { SWITCH_FAULTS, SWITCH_PARTS } from './switch-table';
import { FAULTS, findFault, type FaultName } from './table';

/** What one row of `npm run bench:faults` has found. */
export interface MeasuredRow {
  readonly fault: string;
  readonly phase: string;
  readonly outcome: string;
  readonly restoredSeconds?: number;
  readonly requests: number;
  readonly lostByFault: number;
  readonly lostBeyond: number;
  readonly dropped: number;
  readonly wrong: readonly string[];
}

const WORDS: Readonly<Record<string, string>> = {
  completed: 'done',
  'rolled-back': 'back',
  failed: 'asked',
  refused: 'rejected',
};

interface Place {
  /** As results name it: `switch:function-killed`. */
  readonly fault: string;
  readonly phases: readonly string[];
}

const ofCutover = (): Place[] =>
  (Object.keys(FAULTS) as FaultName[]).map((name) => ({ fault: name, phases: findFault(name).phases }));
const ofSwitch = (): Place[] => SWITCH_FAULTS.map(({ name, parts }) => ({ fault: `switch:${name}`, phases: parts }));

/** The matrix of a Markdown page: a fault a row, a phase a column, in each cell how its cutover ended. */
export function formatMatrix(results: readonly MeasuredRow[]): string {
  return formatCells(ofCutover(), Object.keys(PHASES), results);
}

/** The same of a switch, with the parts of its step. */
export function formatSwitchMatrix(results: readonly MeasuredRow[]): string {
  return formatCells(ofSwitch(), Object.keys(SWITCH_PARTS), results);
}

function formatCells(faults: readonly Place[], phases: readonly string[], results: readonly MeasuredRow[]): string {
  const head = ['fault', ...phases];
  const rows = faults.map(({ fault, phases: own }) => [
    `\`${fault}\``,
    ...phases.map((phase) => {
      if (!own.includes(phase)) return '';
      return formatCell(results.find((each) => each.fault === fault && each.phase === phase));
    }),
  ]);
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function formatCell(result: MeasuredRow | undefined): string {
  if (!result) return 'not run';
  if (result.wrong.length > 0) return '**wrong**';
  const { outcome, restoredSeconds, lostByFault } = result;
  const seconds = outcome === 'rolled-back' && restoredSeconds !== undefined ? ` ${restoredSeconds.toFixed(1)} s` : '';
  const lost = lostByFault > 0 ? ` (${lostByFault})` : '';
  return `${WORDS[outcome] ?? outcome}${seconds}${lost}`;
}

/** What all rows together say, in one paragraph; and each that was wrong. */
export function formatTotals(results: readonly MeasuredRow[]): string {
  const all = [...ofCutover(), ...ofSwitch()].flatMap(({ fault, phases }) => phases.map((phase) => ({ fault, phase })));
  const run = all.flatMap(
    ({ fault, phase }) => results.find((each) => each.fault === fault && each.phase === phase) ?? [],
  );
  const wrong = run.filter((each) => each.wrong.length > 0);
  const sum = (count: (row: MeasuredRow) => number) =>
    run.reduce((total, row) => total + count(row), 0).toLocaleString('en-US');
  const lines = [
    `${run.length} of ${all.length} rows were run, and ${run.length - wrong.length} ended as they must. Their clients sent ` +
      `${sum(({ requests }) => requests)} requests. ${sum(({ lostByFault }) => lostByFault)} were lost by the faults themselves, and ` +
      `${sum(({ lostBeyond }) => lostBeyond)} beyond them.`,
    ...wrong.map((row) => `- \`${row.fault}@${row.phase}\`: ${row.wrong.join('; ')}`),
  ];
  return lines.join('\n');
}

import { PHASES, type Phase } from './phases';
import { FAULTS, findFault, listAsked, type FaultName } from './table';

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

/** The matrix of a Markdown page: a fault a row, a phase a column, in each cell how its cutover ended. */
export function formatMatrix(results: readonly MeasuredRow[]): string {
  const phases = Object.keys(PHASES) as Phase[];
  const head = ['fault', ...phases];
  const rows = (Object.keys(FAULTS) as FaultName[]).map((name) => [
    `\`${name}\``,
    ...phases.map((phase) => {
      if (!findFault(name).phases.includes(phase)) return '';
      return formatCell(results.find((each) => each.fault === name && each.phase === phase));
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
  const all = listAsked();
  const run = all.flatMap(
    ({ name, phase }) => results.find((each) => each.fault === name && each.phase === phase) ?? [],
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

import { formatOdds } from '../judge/odds';
import type { CompareReport, FieldReport, Finding } from './compare-report';
import type { Tally } from './excess';

/** In words, for tables. */
export const FINDING_WORDS: Readonly<Record<Finding, string>> = {
  differs: 'differs',
  suspect: 'may differ',
  unrepeated: 'not repeated',
  rare: 'seldom',
  tolerated: 'tolerated',
  noise: 'noise',
  ignored: 'ignored',
};

/** Of a table in a terminal. The JSON document and the page have all of them. */
const MAX_ROWS = 40;
const MAX_FIELD = 60;
const HEAD = ['', 'ROUTE', 'FIELD', 'TARGET', 'SOURCE ITSELF', 'ODDS'];

/** `52 of 10,400 (0.5 %)`. */
export function formatTally({ compared, differ }: Tally): string {
  if (compared === 0) return 'not known';
  return `${formatCount(differ)} of ${formatCount(compared)}${differ === 0 ? '' : ` (${formatPercent(differ / compared)})`}`;
}

/** Less says nothing. */
const MIN_ODDS = 10;

/** The odds against noise, where they say anything. */
export function formatAgainst(odds: number): string {
  return odds < MIN_ODDS ? '–' : formatOdds(odds);
}

export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

export function formatPercent(part: number): string {
  return `${Number((part * 100).toPrecision(2))} %`;
}

/** What was compared, in one line. */
export function describeTotals({ comparisons, repeats, differ, whole }: CompareReport): string {
  const cut = comparisons - whole;
  return (
    `${formatCount(comparisons)} responses of the target compared, ${formatCount(differ)} differ in any field; ` +
    `${formatCount(repeats)} requests repeated on the source` +
    (cut > 0 ? `; of ${formatCount(cut)} bodies only a part was compared` : '')
  );
}

/** The verdict, why, and the fields that differ, for a terminal. */
export function describeComparison(report: CompareReport): string[] {
  const fields = [
    ...report.shared.map((field) => ['all routes', field] as const),
    ...report.routes.flatMap(({ route, fields }) => fields.map((each) => [route, each] as const)),
  ].filter(([, { finding }]) => finding !== 'ignored');
  const rows = fields.slice(0, MAX_ROWS).map(([route, field]) => describeField(route, field));
  const left = fields.length - rows.length;
  return [
    `${report.verdict}: ${report.because[0] ?? 'nothing was compared'}`,
    ...report.because.slice(1).map((line) => `  ${line}`),
    describeTotals(report),
    ...(rows.length === 0 ? [] : ['', ...alignColumns([HEAD, ...rows])]),
    ...(left > 0 ? [`and ${formatCount(left)} more fields`] : []),
  ];
}

function describeField(route: string, { field, finding, comparisons, repeats, odds }: FieldReport): string[] {
  const name = field.length > MAX_FIELD ? `${field.slice(0, MAX_FIELD)}…` : field;
  return [FINDING_WORDS[finding], route, name, formatTally(comparisons), formatTally(repeats), formatAgainst(odds)];
}

function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

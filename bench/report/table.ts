import { LEGEND, listLines, type Line } from './figures';
import { ledgerText } from './ledger';
import type { Results } from './results';

const TITLES: Line = {
  peer: '',
  value: 'median',
  cpu: 'CPU each',
  busy: 'busy',
  toNginx: '× nginx',
  toHttpProxy: '× http-proxy',
  notes: '',
};

/** The results for a person at a terminal. */
export function table(results: Results): string {
  const rows = results.rows.map((row) => ({ row, lines: listLines(row) }));
  const widths = computeWidths([TITLES, ...rows.flatMap(({ lines }) => lines)]);
  const blocks = rows.map(({ row, lines }) =>
    [row.title, ...lines.map((line) => `  ${aligned(line, widths)}`)].join('\n'),
  );
  const missing = Object.entries(results.missing).map(([peer, how]) => `Not measured: ${peer} (get it: ${how})`);
  return [
    machineText(results),
    `  ${aligned(TITLES, widths)}`,
    ...blocks,
    ...(results.ledger ? [ledgerText(results.ledger)] : []),
    [LEGEND, ...results.warnings.map((warning) => `Mind: ${warning}.`), ...missing].join('\n'),
  ].join('\n\n');
}

export function machineText({ machine }: Results): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}; ${versions.join(', ')}; ${machine.date.slice(0, 10)}`;
}

type Column = keyof Line;
const COLUMNS = Object.keys(TITLES) as Column[];

function computeWidths(lines: readonly Line[]): Record<Column, number> {
  const width = (column: Column) => Math.max(...lines.map((line) => line[column].length));
  return Object.fromEntries(COLUMNS.map((column) => [column, width(column)])) as Record<Column, number>;
}

function aligned(line: Line, widths: Record<Column, number>): string {
  const isText = (column: Column) => column === 'peer' || column === 'notes';
  return COLUMNS.map((column) => {
    return isText(column) ? line[column].padEnd(widths[column]) : line[column].padStart(widths[column]);
  })
    .join('  ')
    .trimEnd();
}

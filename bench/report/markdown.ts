import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { LEGEND, listLines } from './figures';
import { ledgerText } from './ledger';
import type { Results, RowResult } from './results';
import { machineText } from './table';

const END = '<!-- figures: end -->';

export function writeMarkdown(file: string, results: Results): void {
  writeFigures(file, 'bench:proxy', markdown(results));
}

/**
 * Puts the figures of a command between its markers in a document, or makes a new file of them. A document keeps its own words; what
 * stands between these two lines is the tool's.
 */
export function writeFigures(file: string, command: string, content: string): void {
  const marker = `<!-- figures: begin, written by \`npm run ${command} -- --markdown FILE\` -->`;
  const figures = `${marker}\n\n${content}\n\n${END}`;
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const begin = text.indexOf(marker);
  const end = text.indexOf(END, begin);
  const hasPlace = begin >= 0 && end > begin;
  if (text !== '' && !hasPlace)
    throw new Error(`'${file}' must have the line ${marker} and, below it, ${END}, got neither`);
  writeFileSync(file, hasPlace ? text.slice(0, begin) + figures + text.slice(end + END.length) : `${figures}\n`);
}

export function markdown(results: Results): string {
  const missing = Object.keys(results.missing);
  return [
    `${machineText(results)}. Medians; one worker each, on one core.`,
    [
      '| | | median | CPU each | busy | × nginx | × http-proxy | |',
      '|---|---|--:|--:|--:|--:|--:|---|',
      ...results.rows.flatMap(lines),
    ].join('\n'),
    LEGEND,
    ...(results.ledger ? [ledgerText(results.ledger)] : []),
    ...(results.warnings.length > 0 ? [`Mind: ${results.warnings.join('; ')}.`] : []),
    ...(missing.length > 0 ? [`Not installed, so not measured: ${missing.join(', ')}.`] : []),
  ].join('\n\n');
}

function lines(row: RowResult): string[] {
  return listLines(row).map((line, index) => {
    const cells = [line.peer, line.value, line.cpu, line.busy, line.toNginx, line.toHttpProxy, line.notes];
    return `| ${[index === 0 ? row.title : '', ...cells].join(' | ')} |`;
  });
}

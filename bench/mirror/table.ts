import type { MirrorRow } from './run';

/** A target that is down may add so much to the slowest requests. */
const MAX_RATIO = 1.01;

export interface Aim {
  readonly isMet: boolean;
  readonly text: string;
}

export function checkAims(rows: readonly MirrorRow[]): Aim[] {
  const down = rows.filter(({ target }) => target === 'refused' || target === 'silent');
  const errors = rows.reduce((sum, row) => sum + row.errors, 0);
  return [
    ...down.map(({ target, p99Ratio }) => ({
      isMet: p99Ratio <= MAX_RATIO,
      text: `a target that ${target === 'refused' ? 'takes no connection' : 'never responds'} adds at most 1 % to p99: ${percent(p99Ratio)}`,
    })),
    { isMet: errors === 0, text: `no request fails: ${errors}` },
  ];
}

export function drawTable(rows: readonly MirrorRow[]): string {
  return [
    '| target | copied | p50 | p99 | p50 against none | p99 against none | CPU of a request |',
    '|---|--:|--:|--:|--:|--:|--:|',
    ...rows.map((row) => `| ${listCells(row).join(' | ')} |`),
  ].join('\n');
}

function listCells({ target, share, p50Ms, p99Ms, p50Ratio, p99Ratio, cpuMicros }: MirrorRow): string[] {
  const isOff = target === 'off';
  return [
    ...[isOff ? 'none' : target, isOff ? '' : `${share} %`],
    ...[`${p50Ms.toFixed(3)} ms`, `${p99Ms.toFixed(2)} ms`],
    ...[isOff ? '' : percent(p50Ratio), isOff ? '' : percent(p99Ratio)],
    `${cpuMicros.toFixed(0)} µs`,
  ];
}

function percent(ratio: number): string {
  return `${ratio >= 1 ? '+' : '−'}${Math.abs((ratio - 1) * 100).toFixed(1)} %`;
}

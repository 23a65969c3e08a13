import { ratioTo, type PeerResult, type RowResult, type Summary } from './results';

/** The figures of one peer in one row, as text. */
export interface Line {
  readonly peer: string;
  readonly value: string;
  readonly cpu: string;
  readonly busy: string;
  readonly toNginx: string;
  readonly toHttpProxy: string;
  readonly notes: string;
}

/** Others on the proxy's core: above this share the figures say as much about them. */
const NOISY = 0.05;
/** Rounds that differ by more than this from each other. */
const UNSTEADY = 0.25;

export function listLines(row: RowResult): Line[] {
  return row.peers.map((entry) => formatLine(row, entry));
}

function formatLine(row: RowResult, { peer, summary, failure }: PeerResult): Line {
  if (summary === undefined) {
    return { peer, value: '–', cpu: '–', busy: '–', toNginx: '–', toHttpProxy: '–', notes: failure ?? 'not measured' };
  }
  return {
    peer,
    value: valueText(row.unit, summary.value),
    cpu: summary.cpuMicros === undefined ? '–' : `${summary.cpuMicros.toFixed(1)} µs`,
    busy: summary.busy === undefined ? '–' : `${(summary.busy * 100).toFixed(0)} %`,
    toNginx: ratioText(row, peer, 'nginx'),
    toHttpProxy: ratioText(row, peer, 'http-proxy'),
    notes: formatNotes(row, summary, failure),
  };
}

export function valueText(unit: RowResult['unit'], value: number): string {
  if (unit === 'bytes') return `${(value / 1024).toFixed(1)} KiB`;
  if (unit === 'ms') return `${value.toFixed(2)} ms`;
  return `${Math.round(value).toLocaleString('en')}/s`;
}

function ratioText(row: RowResult, peer: string, other: string): string {
  const found = ratioTo(row, peer, other);
  return found === undefined ? '–' : `${found.ratio.toFixed(2)}${found.isByCpu ? ' c' : ''}`;
}

function formatNotes(row: RowResult, summary: Summary, failure: string | undefined): string {
  const { value, lowest, highest, othersBusy = 0 } = summary;
  const spread = (highest - lowest) / value;
  const notes = [
    summary.note,
    summary.limit === 'load' ? 'load-bound' : undefined,
    summary.errors > 0 ? `${summary.errors} errors` : undefined,
    othersBusy > NOISY ? `others on the core: ${(othersBusy * 100).toFixed(0)} %` : undefined,
    spread > UNSTEADY ? `unsteady: ${valueText(row.unit, lowest)} – ${valueText(row.unit, highest)}` : undefined,
    failure,
  ];
  return notes.filter((note) => note !== undefined).join(', ');
}

export const LEGEND =
  'Ratios: above 1 is better than the other. "c": by CPU time per request, because one of the two had its core less than ' +
  '85 % busy (load-bound, or disturbed by others), so that its throughput was not its own limit.';

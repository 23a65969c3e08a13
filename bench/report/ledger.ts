import type { LedgerCost, RowResult } from './results';

const ROW = 'get';

/** @param alone the ledger measured alone, or why it could not be */
export function ledgerCost(
  rows: readonly RowResult[],
  alone: { nanoseconds: number } | { problem: string },
): LedgerCost {
  const row = rows.find(({ name }) => name === ROW);
  const computeMicros = (peer: string) => row?.peers.find((entry) => entry.peer === peer)?.summary?.cpuMicros;
  const withLedgerMicros = computeMicros('drainshift');
  const withoutLedgerMicros = computeMicros('drainshift-without-ledger');
  const isShareKnown = 'nanoseconds' in alone && withLedgerMicros !== undefined;
  return {
    ...alone,
    ...(isShareKnown && { shareOfRequest: alone.nanoseconds / (withLedgerMicros * 1000) }),
    ...(withLedgerMicros !== undefined && { withLedgerMicros }),
    ...(withoutLedgerMicros !== undefined && { withoutLedgerMicros }),
  };
}

export function ledgerText(cost: LedgerCost): string {
  const { nanoseconds, problem, shareOfRequest, withLedgerMicros, withoutLedgerMicros } = cost;
  const parts: string[] = [];
  if (problem !== undefined) parts.push(`not measured alone: ${problem}`);
  if (nanoseconds !== undefined) parts.push(`one count in and out takes ${nanoseconds.toFixed(1)} ns`);
  if (shareOfRequest !== undefined) parts.push(`${(shareOfRequest * 100).toFixed(3)} % of a small GET's CPU time`);
  if (withLedgerMicros !== undefined && withoutLedgerMicros !== undefined) {
    const difference = ((withLedgerMicros - withoutLedgerMicros) / withLedgerMicros) * 100;
    const builds = `${withLedgerMicros.toFixed(2)} µs with it, ${withoutLedgerMicros.toFixed(2)} µs in a build without it`;
    parts.push(`${builds} (${difference.toFixed(1)} %; what is under the spread of the rounds is noise)`);
  }
  return `Ledger: ${parts.join('; ')}.`;
}

import type { CaptureRow } from './run';

/** With so many clients capture may add so much to the median. */
const AIM = { connections: 300, addedMs: 5 };
/** A proxy that does less of what it is asked has collapsed. */
const KEPT_UP = 0.95;

export interface Aim {
  readonly isMet: boolean;
  readonly text: string;
}

/** Of this build. */
export function checkAims(rows: readonly CaptureRow[]): Aim[] {
  const captured = rows.filter(({ store, build }) => store !== 'off' && build === 'this');
  const added = captured
    .filter(({ connections }) => connections === AIM.connections)
    .map((row) => {
      const ms = row.p50Ms - findOff(rows, row).p50Ms;
      const text = `${row.store} adds at most ${AIM.addedMs} ms to the median at ${AIM.connections} clients: ${ms.toFixed(2)} ms`;
      return { isMet: ms <= AIM.addedMs, text };
    });
  const slow = captured.filter(({ share, errors }) => share < KEPT_UP || errors > 0);
  const what = slow.map(
    ({ store, connections, share, errors }) =>
      `${store} at ${connections}: ${(share * 100).toFixed(0)} %, ${errors} errors`,
  );
  const kept = {
    isMet: slow.length === 0,
    text: `every write is done at every number of clients${slow.length === 0 ? '' : `, but ${what.join('; ')}`}`,
  };
  return [...added, kept];
}

export function drawTable(rows: readonly CaptureRow[]): string {
  return [
    '| clients | store | p50 | p99 | p50 added | p99 added | CPU of a write | writes in an object | done |',
    '|--:|---|--:|--:|--:|--:|--:|--:|--:|',
    ...rows.map((row) => `| ${listCells(row, findOff(rows, row)).join(' | ')} |`),
  ].join('\n');
}

function listCells(row: CaptureRow, off: CaptureRow): string[] {
  const { connections, store, build, p50Ms, p99Ms, share, batch, cpuMicros } = row;
  const isOff = store === 'off';
  const added = (ms: number) => (isOff ? '' : `${ms.toFixed(2)} ms`);
  return [
    ...[String(connections), build === 'this' ? store : `${store}, other build`],
    ...[`${p50Ms.toFixed(2)} ms`, `${p99Ms.toFixed(2)} ms`],
    ...[added(p50Ms - off.p50Ms), added(p99Ms - off.p99Ms), `${cpuMicros.toFixed(0)} µs`],
    ...[batch === undefined ? '' : batch.toFixed(1), `${(share * 100).toFixed(0)} %`],
  ];
}

function findOff(rows: readonly CaptureRow[], { connections, build }: CaptureRow): CaptureRow {
  return rows.find((each) => each.connections === connections && each.store === 'off' && each.build === build)!;
}

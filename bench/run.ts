import { UsageError } from '../rehearsal/errors/usage-error';
import { runLedgerAlone } from './ledger/alone';
import { hasWrk, putHttpLoad } from './load/http-load';
import type { BenchOptions } from './cli/options';
import { otherBuild } from './peers/drainshift';
import { Instances } from './peers/instances';
import type { Peer } from './peers/peer';
import { PEERS } from './peers/peers';
import { machine } from './processes/machine';
import type { Workplace } from './processes/workplace';
import { ledgerCost } from './report/ledger';
import { summarize, type Results, type RowResult } from './report/results';
import type { Row, RowRun, Sample } from './rows/row';
import { ROWS } from './rows/rows';
import { PATHS } from './upstream/paths';
import { startUpstreams } from './upstream/upstream';

/** Of one row and peer. */
interface Measured {
  readonly row: Row;
  readonly peer: Peer;
  readonly samples: Sample[];
  failure?: string;
}

export type Progress = (line: string) => void;

/** Measures every chosen row of every peer that is there: round by round, and in each round peer by peer. */
export async function runBench(place: Workplace, options: BenchOptions, progress: Progress): Promise<Results> {
  const rows = chosen('rows', ROWS, options.rows);
  const known = options.against === undefined ? PEERS : [...PEERS, otherBuild(options.against)];
  const peers = chosen('peers', known, options.peers);
  const missing = Object.fromEntries(
    peers.flatMap((peer) => {
      const how = peer.missing();
      return how === undefined || peer.isVariant === true ? [] : [[peer.name, how]];
    }),
  );
  for (const [name, how] of Object.entries(missing)) progress(`${name} is missing; get it: ${how}`);
  const present = peers.filter((peer) => peer.missing() === undefined);
  if (present.length === 0) throw new UsageError("'--peers' must name a peer that is installed, got none");
  const upstreams = await startUpstreams(place);
  const measured = rows.flatMap((row) => {
    return present.filter((peer) => isIn(row, peer)).map((peer): Measured => ({ row, peer, samples: [] }));
  });
  const run = rowRun(place, new Instances(place, upstreams), options, measured);
  await measureRounds(measured, run, options, progress);
  const results = rows.map((row) => findResult(row, measured));
  const warnings = listWarnings(place, upstreams.program);
  const all = { machine: machine(), options, warnings, missing, rows: results };
  if (!measured.some(({ peer }) => peer.isVariant === true)) return all;
  return { ...all, ledger: ledgerCost(results, await runLedgerAlone(place)) };
}

async function measureRounds(
  measured: readonly Measured[],
  run: Omit<RowRun, 'isFirstRound'>,
  { rounds }: BenchOptions,
  progress: Progress,
): Promise<void> {
  const beganMs = performance.now();
  for (let round = 1; round <= rounds; round += 1) {
    for (const [index, entry] of inRotation(measured, round).entries()) {
      if (isGivenUp(entry, round)) continue;
      const part = `round ${round}/${rounds}, ${index + 1}/${measured.length}`;
      progress(`${clock(performance.now() - beganMs)} ${part}: ${entry.row.title} · ${entry.peer.name}`);
      try {
        entry.samples.push(await entry.row.measure({ ...run, isFirstRound: round === 1 }, entry.peer));
      } catch (error) {
        entry.failure = (error as Error).message;
        progress(`  failed: ${entry.failure}`);
      }
    }
  }
}

/** What failed in the first round has a second chance. */
function isGivenUp({ row, samples, failure }: Measured, round: number): boolean {
  if (samples.length > 0) return row.isOnce === true;
  return failure !== undefined && round > 2;
}

/** The peers of a row one after the other, each round beginning with another one. */
function inRotation(measured: readonly Measured[], round: number): Measured[] {
  const rows = [...new Set(measured.map(({ row }) => row))];
  return rows.flatMap((row) => {
    const entries = measured.filter((entry) => entry.row === row);
    const first = (round - 1) % entries.length;
    return [...entries.slice(first), ...entries.slice(0, first)];
  });
}

function rowRun(
  place: Workplace,
  instances: Instances,
  { seconds, isQuick, idleConnections }: BenchOptions,
  measured: readonly Measured[],
): Omit<RowRun, 'isFirstRound'> {
  let rate: Promise<number> | undefined;
  return {
    place,
    instances,
    seconds,
    warmupSeconds: isQuick ? 1 : 5,
    idleConnections,
    settleSeconds: isQuick ? 1.5 : 5,
    fixedRate: () => (rate ??= halfOfMaximum(place, instances, measured)),
  };
}

/** Requests per second; nginx's maximum where it is there. One rate for all peers and rounds. */
async function halfOfMaximum(place: Workplace, instances: Instances, measured: readonly Measured[]): Promise<number> {
  const reference = measured.find(({ peer }) => peer.name === 'nginx') ?? measured[0]!;
  const known = measured.find(({ row, peer }) => row.name === 'get' && peer === reference.peer);
  const summary = known && summarize(known.row, known.samples);
  // Where others took its core, its CPU time tells what it could have done.
  if (summary?.limit === 'others') return Math.round(1e6 / summary.cpuMicros! / 2);
  if (summary !== undefined) return Math.round(summary.value / 2);
  const { port } = await instances.of(reference.peer, 'http');
  const load = {
    port,
    path: PATHS.small,
    method: 'GET',
    bodyBytes: 0,
    isTls: false,
    closes: false,
    isAlb: false,
  } as const;
  const { requests, seconds } = await putHttpLoad(place, { ...load, connections: 64, seconds: 2 }, () => undefined);
  return Math.round(requests / seconds / 2);
}

function isIn(row: Row, peer: Peer): boolean {
  return peer.isVariant !== true || row.variants?.includes(peer.name) === true;
}

function findResult(row: Row, measured: readonly Measured[]): RowResult {
  const { name, title, unit, better } = row;
  const peers = measured
    .filter((entry) => entry.row === row)
    .map(({ peer, samples, failure }) => {
      const summary = summarize(row, samples);
      return { peer: peer.name, samples, ...(failure !== undefined && { failure }), ...(summary && { summary }) };
    });
  return { name, title, unit, better, peers };
}

function listWarnings({ placement }: Workplace, upstream: 'nginx' | 'own'): string[] {
  const warnings = [...placement.warnings];
  if (!hasWrk())
    warnings.push(
      'wrk is missing (apt-get install wrk): our own generator takes more CPU time, so more rows are load-bound',
    );
  if (upstream === 'own')
    warnings.push('nginx is missing as the upstream (apt-get install nginx-light): our own takes more CPU time');
  return warnings;
}

function chosen<T extends { readonly name: string }>(
  option: string,
  all: readonly T[],
  names: readonly string[] | undefined,
): T[] {
  const unknown = names?.filter((name) => !all.some((entry) => entry.name === name)) ?? [];
  if (unknown.length === 0) return all.filter(({ name }) => names?.includes(name) ?? true);
  throw new UsageError(`'--${option}' must be of ${all.map(({ name }) => name).join(', ')}, got ${unknown.join(', ')}`);
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`;
}

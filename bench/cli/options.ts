import { parseArgs } from 'node:util';
import { UsageError } from '../../rehearsal/errors/usage-error';

/** What `bench:proxy` is asked for. */
export interface BenchOptions {
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly seconds: number;
  /** Names; undefined: all. */
  readonly rows: readonly string[] | undefined;
  readonly peers: readonly string[] | undefined;
  /** The root of another build of ours, which is one more peer: `other-build`. */
  readonly against: string | undefined;
  readonly idleConnections: number;
  readonly json: string | undefined;
  readonly svg: string | undefined;
  readonly markdown: string | undefined;
  /** Results of an earlier run to report again, instead of measuring. */
  readonly from: string | undefined;
}

export const BENCH_USAGE = `Usage: npm run bench:proxy -- [options]

  --quick              about two minutes: one short round, fewer idle connections
  --rounds N           rounds over all rows and peers (default 5)
  --seconds N          of each measurement (default 2)
  --rows a,b           only these rows
  --peers a,b          only these peers
  --against DIR        one more peer, \`other-build\`: the DIR/dist of another commit of ours
  --connections N      idle connections of the memory rows (default 10000)
  --json FILE          everything that was measured
  --svg FILE           a picture relative to nginx
  --markdown FILE      a table; in an existing file between its markers
  --from FILE          report an earlier --json FILE again, measure nothing
`;

export function readBenchOptions(args: readonly string[]): BenchOptions | 'help' {
  const text = { type: 'string' as const };
  const values = parsed(args, {
    ...{ rounds: text, seconds: text, rows: text, peers: text, connections: text, against: text },
    ...{ json: text, svg: text, markdown: text, from: text },
  });
  if (values.help === true) return 'help';
  const isQuick = values.quick === true;
  return {
    isQuick,
    rounds: positive('rounds', values.rounds, isQuick ? 1 : 5),
    seconds: positive('seconds', values.seconds, isQuick ? 1 : 2),
    rows: list(values.rows),
    peers: list(values.peers),
    against: string(values.against),
    idleConnections: positive('connections', values.connections, isQuick ? 2000 : 10_000),
    json: string(values.json),
    svg: string(values.svg),
    markdown: string(values.markdown),
    from: string(values.from),
  };
}

/** What `bench:soak` is asked for. */
export interface SoakOptions {
  /** Of load, all cycles but the first together. */
  readonly seconds: number;
  /** Settled moments, at which the memory is read and the ledger must be zero. */
  readonly cycles: number;
  readonly workers: number;
  /** Clients of each kind, roughly. */
  readonly clients: number;
  readonly seed: number;
  readonly json: string | undefined;
}

export const SOAK_USAGE = `Usage: npm run bench:soak -- [options]

  --quick              about a minute
  --minutes N          of load (default 30)
  --seconds N          of load, for less than a minute
  --cycles N           stops to look at what is left, and drains (default: one a minute, 6 to 30)
  --workers N          of the proxy (default 1)
  --clients N          clients at a time (default 48)
  --seed N             of the faults' order (default: from the clock; it is said)
  --json FILE          everything that was counted
`;

export function readSoakOptions(args: readonly string[]): SoakOptions | 'help' {
  const text = { type: 'string' as const };
  const values = parsed(args, {
    ...{ minutes: text, seconds: text, cycles: text },
    ...{ workers: text, clients: text, seed: text, json: text },
  });
  if (values.help === true) return 'help';
  const isQuick = values.quick === true;
  const minutes = positive('minutes', values.minutes, isQuick ? 0.5 : 30, 0.1);
  const seconds = positive('seconds', values.seconds, minutes * 60);
  return {
    seconds,
    cycles: positive('cycles', values.cycles, Math.max(isQuick ? 4 : 6, Math.min(30, Math.round(seconds / 60)))),
    workers: positive('workers', values.workers, 1),
    clients: positive('clients', values.clients, 48),
    seed: positive('seed', values.seed, Date.now() % 1_000_000),
    json: string(values.json),
  };
}

type Values = Record<string, string | boolean | undefined>;

function parsed(args: readonly string[], options: Record<string, { type: 'string' }>): Values {
  const flags = { quick: { type: 'boolean' as const }, help: { type: 'boolean' as const } };
  return parseArgs({ args: [...args], options: { ...options, ...flags } }).values;
}

function positive(name: string, value: string | boolean | undefined, fallback: number, min = 1): number {
  if (value === undefined) return fallback;
  const number = Number(value);
  if (Number.isFinite(number) && number >= min) return number;
  throw new UsageError(`'--${name}' must be a number of at least ${min}, got ${String(value)}`);
}

function list(value: string | boolean | undefined): string[] | undefined {
  return string(value)
    ?.split(',')
    .map((name) => name.trim());
}

function string(value: string | boolean | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

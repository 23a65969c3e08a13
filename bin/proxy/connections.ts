import { Command, InvalidArgumentError, Option } from 'commander';
import { ADMIN_PATHS } from '../../core/proxy/admin-api';
import { ConnectionPage, ConnectionSnapshot, PAGE_LIMIT } from '../../core/proxy/connection-list';
import { CONNECTION_KINDS, ConnectionKind } from '../../core/proxy/connections';
import { printableLine } from '../../core/text/printable';
import { formatSeconds } from '../../core/plan/explain';
import { readDecimal } from '../shared/numbers';
import { asJson, EXIT, runOperator } from '../shared/operator-command';
import { ProxyFlags, callProxy, proxyCommand } from './proxy-command';

interface ListFlags extends ProxyFlags {
  readonly kind?: readonly ConnectionKind[];
  readonly limit: number;
}

const DEFAULT_LIMIT = 1_000;
const MAX_LIMIT = 1_000_000;

/** Adds `proxy connections`. */
export function addConnectionsCommand(proxy: Command, done: (exitCode: number) => void): void {
  const kind = new Option('--kind <kind>', 'only those of this kind; repeatable').choices([...CONNECTION_KINDS]);
  proxyCommand(proxy.command('connections'), 'list the live connections of one proxy, the oldest first')
    .addOption(kind.argParser(readKind))
    .option('--limit <number>', 'how many to list at the most', readLimit, DEFAULT_LIMIT)
    .action(async (flags: ListFlags) => done(await runOperator(() => list(flags))));
}

function readKind(text: string, before: readonly ConnectionKind[] = []): readonly ConnectionKind[] {
  const kind = CONNECTION_KINDS.find((each) => each === text);
  if (kind !== undefined) return [...before, kind];
  throw new InvalidArgumentError(`must be one of ${CONNECTION_KINDS.join(', ')}, got '${text}'`);
}

function readLimit(text: string): number {
  const limit = readDecimal(text);
  if (limit !== undefined && Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new InvalidArgumentError(`must be an integer from 1 to ${MAX_LIMIT}, got '${text}'`);
}

async function list(flags: ListFlags): Promise<number> {
  const { connections, next } = await fetchConnections(flags);
  const oldestFirst = [...connections].sort((a, b) => b.ageSeconds - a.ageSeconds);
  if (flags.json) {
    process.stdout.write(asJson({ connections: oldestFirst, ...(next !== undefined && { next }) }));
    return EXIT.done;
  }
  const more = next === undefined ? [] : [`There are more: '--limit' is ${flags.limit}.`];
  process.stdout.write([...formatTable(oldestFirst), '', ...more, ''].join('\n').replace(/\n\n$/, '\n'));
  return EXIT.done;
}

/** As many of the live connections of a proxy as are asked for. @throws CutoverError, or WrongUse without a key */
export async function fetchConnections({
  kind = [],
  limit,
  ...flags
}: Omit<ListFlags, 'json'>): Promise<ConnectionPage> {
  const connections: ConnectionSnapshot[] = [];
  let next: string | undefined;
  do {
    const query = new URLSearchParams({ limit: String(Math.min(PAGE_LIMIT.max, limit - connections.length)) });
    if (next !== undefined) query.set('after', next);
    for (const each of kind) query.append('kind', each);
    const page = (await callProxy(flags, {
      method: 'GET',
      path: `${ADMIN_PATHS.connections}?${query.toString()}`,
    })) as ConnectionPage;
    connections.push(...page.connections);
    next = page.next;
  } while (next !== undefined && connections.length < limit);
  return next === undefined ? { connections } : { connections, next };
}

const HEAD = ['KIND', 'STATE', 'AGE', 'RECEIVED', 'SENT', 'CLIENT', 'UPSTREAM', 'MOVABLE', 'PATH'] as const;
const NUMBERS: ReadonlySet<string> = new Set(['AGE', 'RECEIVED', 'SENT']);

function formatTable(connections: readonly ConnectionSnapshot[]): string[] {
  if (connections.length === 0) return ['No live connections'];
  const rows = [HEAD, ...connections.map(formatRow)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => {
    const cells = row.map((text, column) =>
      NUMBERS.has(HEAD[column]!) ? text.padStart(widths[column]!) : text.padEnd(widths[column]!),
    );
    return cells.join('  ').trimEnd();
  });
}

function formatRow(connection: ConnectionSnapshot): readonly string[] {
  const { kind, state, ageSeconds, bytes, client, upstream = '-', movable, rejection, path } = connection;
  return [
    ...[kind, state, formatSeconds(Math.floor(ageSeconds))],
    ...[String(bytes.received), String(bytes.sent), printableLine(client)],
    ...[upstream, movable ? 'yes' : `no: ${rejection}`, printableLine(path)],
  ];
}

import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ADMIN_PATHS, LedgerReport } from '../../core/proxy/admin-api';
import { oneLine } from '../../core/text/one-line';
import { parseDuration } from '../../core/validation/duration';
import { HOST_PORT_RULE, HostPort, formatHostPort } from '../../core/validation/host-port';
import { readDecimal } from '../shared/numbers';
import { EXIT, WrongUse, report, runOperator } from '../shared/operator-command';
import type { Stop } from '../shared/stop';
import { KeyFlags, callProxy, keyCommand, parseAdmin, readKeys } from './proxy-command';
import { describeGeneration, restart } from './restart';

const LOOK_MS = 500;
const MAX_BATCH = 1_000;
/** Hosts that are asked at once whether they are there. */
const MAX_ASKED = 100;

interface RollFlags extends KeyFlags {
  readonly hosts: string;
  readonly batch: number;
  readonly wait: 'serving' | 'drained';
  /** Seconds. */
  readonly timeout: number;
}

/** Adds `proxy roll`. */
export function addRollCommand(proxy: Command, done: (exitCode: number) => void): void {
  keyCommand(
    proxy.command('roll'),
    'restart the proxies of many hosts, batch by batch; it stops at the first one that does not serve again',
  )
    .requiredOption('--hosts <file>', 'their admin ports, one HOST:PORT a line; what follows # is not read')
    .option('--batch <count>', 'how many at once', readCount, 1)
    .addOption(
      new Option('--wait <for>', 'before the next batch: the new generation serves, or the old connections have ended')
        .choices(['serving', 'drained'])
        .default('serving'),
    )
    .option('--timeout <time>', 'how long to wait for a host', readTime, 900)
    .action(async (flags: RollFlags) => done(await runOperator((stop) => roll(flags, stop))));
}

async function roll(flags: RollFlags, { signal, endInOrder }: Stop): Promise<number> {
  const hosts = readHosts(flags.hosts);
  readKeys(flags.adminSecretFile);
  endInOrder();
  const missing = await findMissing(hosts, flags);
  if (missing !== undefined) return stopped(0, hosts.length, missing);
  let restarted = 0;
  for (let first = 0; first < hosts.length; first += flags.batch) {
    if (signal.aborted) return stopped(restarted, hosts.length, 'it was stopped');
    const batch = hosts.slice(first, first + flags.batch);
    const results = await Promise.allSettled(batch.map((admin) => rollOne(admin, flags)));
    restarted += results.filter(({ status }) => status === 'fulfilled').length;
    const at = results.findIndex(({ status }) => status === 'rejected');
    if (at < 0) continue;
    const { reason } = results[at] as { readonly reason: Error };
    return stopped(restarted, hosts.length, `${formatHostPort(batch[at]!)}: ${oneLine(reason.message)}`);
  }
  process.stdout.write(`all ${hosts.length} hosts were restarted\n`);
  return EXIT.done;
}

/** A host that is not there, or has another key, is known before the first one is restarted. */
async function findMissing(hosts: readonly HostPort[], flags: RollFlags): Promise<string | undefined> {
  for (let first = 0; first < hosts.length; first += MAX_ASKED) {
    const asked = hosts.slice(first, first + MAX_ASKED);
    const call = { method: 'GET', path: ADMIN_PATHS.identity } as const;
    const results = await Promise.allSettled(asked.map((admin) => callProxy({ ...flags, admin }, call)));
    const at = results.findIndex(({ status }) => status === 'rejected');
    if (at < 0) continue;
    const { reason } = results[at] as { readonly reason: Error };
    return `${formatHostPort(asked[at]!)}: ${oneLine(reason.message)}`;
  }
  return undefined;
}

function stopped(restarted: number, all: number, why: string): number {
  report(`drainshift: stopped at ${why}`);
  process.stdout.write(`${restarted} of ${all} hosts were restarted\n`);
  return EXIT.refused;
}

async function rollOne(admin: HostPort, { wait, timeout, adminSecretFile }: RollFlags): Promise<void> {
  const name = formatHostPort(admin);
  const startedMs = Date.now();
  const say = (what: string) => report(`${name}  ${((Date.now() - startedMs) / 1000).toFixed(1)}s  ${what}`);
  const host = { admin, ...(adminSecretFile !== undefined && { adminSecretFile }) };
  say(`${describeGeneration(await restart(host))} serves`);
  for (;;) {
    const now = (await callProxy(host, { method: 'GET', path: ADMIN_PATHS.drainStatus })) as LedgerReport;
    if (wait === 'serving' || (now.generations?.live ?? 1) === 1) break;
    if (Date.now() - startedMs > timeout * 1000) {
      throw new Error(`the connections of the old generation must end within ${timeout}s, got some that have not`);
    }
    await pause(LOOK_MS);
  }
  if (wait === 'drained') say('all connections of the generation before have ended');
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new WrongUse(`'--hosts' must be the path of a readable file, got ${path}`);
  }
}

/** @throws WrongUse with the line */
function readHosts(file: string): HostPort[] {
  const lines = readFile(file).split('\n');
  const hosts = lines.flatMap((line, index) => {
    const text = line.replace(/#.*/, '').trim();
    if (text === '') return [];
    const host = parseAdmin(text);
    if (!host) throw new WrongUse(`line ${index + 1} of '--hosts' must be ${HOST_PORT_RULE}, got '${text}'`);
    return [host];
  });
  if (hosts.length === 0) throw new WrongUse(`'--hosts' must name a host, got none in ${file}`);
  return hosts;
}

function readCount(text: string): number {
  const count = readDecimal(text);
  if (count !== undefined && Number.isInteger(count) && count >= 1 && count <= MAX_BATCH) return count;
  throw new InvalidArgumentError(`must be an integer from 1 to ${MAX_BATCH}, got '${text}'`);
}

function readTime(text: string): number {
  const seconds = readDecimal(text) ?? parseDuration(text);
  if (seconds !== undefined && seconds > 0) return seconds;
  throw new InvalidArgumentError(`must be a time over 0, such as 15m, got '${text}'`);
}

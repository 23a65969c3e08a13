import { readFileSync } from 'node:fs';
import { lookup } from 'node:dns/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { LedgerReport } from '../core/proxy/admin-api';
import { findUsableKeys } from '../core/proxy/admin-api';
import { variableName } from '../core/proxy/settings/setting-names';
import { PROXY_SETTINGS } from '../core/proxy/settings/settings';
import { oneLine } from '../core/text/one-line';
import { parseDuration } from '../core/validation/duration';
import { HOST_PORT_RULE, HostPort, formatHostPort, parseHostPort } from '../core/validation/host-port';
import type * as Operator from '../lambda/operator';
import { readDecimal } from './shared/numbers';
import { EXIT, WrongUse, report, runOperator } from './shared/operator-command';
import { Stop, untilStopped } from './shared/stop';

/** Longer than a new generation may take to prove itself. */
const RESTART_MS = 1000 * PROXY_SETTINGS.restart_timeout_seconds.max + 10_000;
const READ_MS = 5_000;
const LOOK_MS = 500;
const MAX_BATCH = 1_000;

interface RollFlags {
  readonly hosts: string;
  readonly batch: number;
  readonly wait: 'serving' | 'drained';
  /** Seconds. */
  readonly timeout: number;
}

/** The commands of a proxy that runs, under `proxy`. */
export function runProxyCommand(args: readonly string[]): Promise<number> | undefined {
  const [name] = args;
  if (name !== 'restart' && name !== 'roll') return undefined;
  let code: Promise<number> = Promise.resolve(EXIT.done);
  const cli = new Command('drainshift proxy').exitOverride();
  addRestart(cli, (asked) => void (code = asked));
  addRoll(cli, (asked) => void (code = asked));
  return cli.parseAsync([...args], { from: 'user' }).then(() => code);
}

const SECRET_HELP = `\nThe key of the admin API is read from ${variableName('admin_secret')} or ${variableName('admin_secret_file')}.`;

function addRestart(cli: Command, done: (code: Promise<number>) => void): void {
  cli
    .command('restart')
    .description('start a new generation of a proxy, from the files on its disk; it responds when that one serves')
    .requiredOption('--admin <host:port>', 'its admin port', readHostPort)
    .addHelpText('after', SECRET_HELP)
    .action(({ admin }: { admin: HostPort }) => done(runOperator((stop) => restartOne(admin, stop))));
}

function addRoll(cli: Command, done: (code: Promise<number>) => void): void {
  cli
    .command('roll')
    .description(
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
    .addHelpText('after', SECRET_HELP)
    .action((flags: RollFlags) => done(runOperator((stop) => roll(flags, stop))));
}

async function restartOne(admin: HostPort, { signal, endInOrder }: Stop): Promise<number> {
  const host = await connect(admin);
  endInOrder();
  const after = await untilStopped(host.restart(), signal, 'not followed any more: the proxy restarts all the same');
  process.stdout.write(`${describe(after)} serves at ${formatHostPort(admin)}\n`);
  return EXIT.done;
}

async function roll(flags: RollFlags, { signal, endInOrder }: Stop): Promise<number> {
  const hosts = readHosts(flags.hosts);
  endInOrder();
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

function stopped(restarted: number, all: number, why: string): number {
  report(`drainshift: stopped at ${why}`);
  process.stdout.write(`${restarted} of ${all} hosts were restarted\n`);
  return EXIT.refused;
}

async function rollOne(admin: HostPort, { wait, timeout }: RollFlags): Promise<void> {
  const name = formatHostPort(admin);
  const startedMs = Date.now();
  const say = (what: string) => report(`${name}  ${((Date.now() - startedMs) / 1000).toFixed(1)}s  ${what}`);
  const host = await connect(admin);
  say(`${describe(await host.restart())} serves`);
  for (;;) {
    const now = await host.read();
    if (wait === 'serving' || (now.generations?.live ?? 1) === 1) break;
    if (Date.now() - startedMs > timeout * 1000) {
      throw new Error(`the connections of the old generation must end within ${timeout}s, got some that have not`);
    }
    await pause(LOOK_MS);
  }
  if (wait === 'drained') say('all connections of the generation before have ended');
}

function describe({ generations }: LedgerReport): string {
  return `generation ${generations?.number ?? 'unknown'}`;
}

async function connect({ host, port }: HostPort) {
  const operator = (await import(join(__dirname, '..', 'assets', 'cli', 'operator.js'))) as typeof Operator;
  const keys = readKeys();
  // A call names the address as the proxy itself sees it.
  const { address } = await lookup(host);
  return {
    restart: () => operator.callProxy({ address, port, keys, method: 'POST', path: '/restart', timeoutMs: RESTART_MS }),
    read: () => operator.callProxy({ address, port, keys, method: 'GET', path: '/drain-status', timeoutMs: READ_MS }),
  };
}

/** @throws WrongUse that shows none of them */
function readKeys(): readonly string[] {
  const [secret, file] = [variableName('admin_secret'), variableName('admin_secret_file')];
  const path = process.env[file];
  const text = process.env[secret] ?? (path === undefined ? undefined : readText(path, file));
  if (text === undefined) throw new WrongUse(`'${secret}' must be set to the key of the admin API, got none`);
  try {
    return findUsableKeys(text.split('\n').filter((line) => line !== '')).keys;
  } catch (error) {
    throw new WrongUse((error as Error).message);
  }
}

function readText(path: string, name: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new WrongUse(`'${name}' must be the path of a readable file, got ${path}`);
  }
}

/** @throws WrongUse with the line */
function readHosts(file: string): HostPort[] {
  const lines = readText(file, '--hosts').split('\n');
  const hosts = lines.flatMap((line, index) => {
    const text = line.replace(/#.*/, '').trim();
    if (text === '') return [];
    const host = parseHostPort(text);
    if (!host) throw new WrongUse(`line ${index + 1} of '--hosts' must be ${HOST_PORT_RULE}, got '${text}'`);
    return [host];
  });
  if (hosts.length === 0) throw new WrongUse(`'--hosts' must name a host, got none in ${file}`);
  return hosts;
}

function readHostPort(text: string): HostPort {
  const found = parseHostPort(text);
  if (found) return found;
  throw new InvalidArgumentError(`must be ${HOST_PORT_RULE}, got '${text}'`);
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

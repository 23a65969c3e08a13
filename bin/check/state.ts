import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { LiveReader, StatePlan, StateReport, checkState, liveAt } from '../../check/state';
import type { Store, StoreAddress } from '../../check/store';
import { ClusterMode, Unreadable } from '../../check/unreadable';
import { IdPlace, readId } from '../../core/check/live-list';
import { KEY_PATTERN_RULE, KeyPattern, parseKeyPattern } from '../../core/check/key-pattern';
import { FINDING_NAMES, judgeState } from '../../core/check/state';
import { Findings } from '../../core/check/verdict';
import { HostPort, formatHostPort } from '../../core/validation/host-port';
import { fetchConnections } from '../proxy/connections';
import { KeyFlags, readAdmin } from '../proxy/proxy-command';
import { wholeNumberFrom } from '../shared/numbers';
import { WrongUse } from '../shared/operator-command';
import { msFrom, readPath, readTarget, timeOption, urlFrom } from './flags';
import { CheckContext, CheckReport, runCheck, withExits } from './run-check';

interface StateFlags extends KeyFlags {
  readonly store: URL;
  readonly storeUser?: string;
  readonly storePasswordFile?: string;
  readonly storeCa?: string;
  readonly stateKeys: KeyPattern | 'none';
  readonly connectionKeys: KeyPattern | 'none';
  readonly connectionsUrl?: readonly URL[];
  readonly admin?: readonly HostPort[];
  readonly idField: readonly string[];
  readonly idPattern?: RegExp;
  readonly compare: 'ids' | 'counts';
  readonly header?: readonly string[];
  readonly insecure: boolean;
  readonly timeout: number;
  readonly settle: number;
  readonly maxOrphans: number;
  readonly maxMissing: number;
  readonly maxDoubled: number;
  readonly maxStateWithoutConnection: number;
  readonly maxConnectionWithoutState?: number;
  readonly json: boolean;
}

const PASSWORD = 'DRAINSHIFT_STORE_PASSWORD';
const MAX_KEYS = 1_000_000;
/** As many ids of a kind as JSON has. */
const MAX_IDS = 1_000;
const MAX_PROXY_CONNECTIONS = 1_000_000;

/** Adds `check state`. */
export function addStateCheck(check: Command, done: (exitCode: number) => void): void {
  const command = check
    .command('state')
    .description('compare the keys of state and of connections in a Valkey or Redis with the live connections')
    .requiredOption(
      '--store <url>',
      'redis://HOST:PORT/DATABASE (or valkey:), rediss:// (or valkeys:) with TLS, unix:/PATH of a socket',
      readStore,
    )
    .option('--store-user <name>', 'the user of its ACL')
    .option('--store-password-file <file>', `the file with its password; without it ${PASSWORD} is the password`)
    .option('--store-ca <file>', 'the authority of its certificate (PEM)')
    .addOption(patternOption('--state-keys <pattern>', 'the keys with state', 'state:*'))
    .addOption(patternOption('--connection-keys <pattern>', 'the keys of connections', 'connection:*'));
  const counts = wholeNumberFrom(0, MAX_KEYS);
  withLive(command)
    .option('--max-orphans <number>', 'keys of connections that are not live', counts, 0)
    .option('--max-missing <number>', 'live connections without a key', counts, 0)
    .option('--max-doubled <number>', 'ids that are live more than once', counts, 0)
    .option('--max-state-without-connection <number>', 'keys with state of no connection', counts, 0)
    .option('--max-connection-without-state <number>', 'connections without state', counts)
    .option('--json', 'print JSON', false);
  withExits(command).action(async (flags: StateFlags) => done(await run(flags)));
}

function withLive(command: Command): Command {
  return command
    .option(
      '--connections-url <url>',
      'a list of the live connections (JSON) of the application, or of one of its servers; repeatable',
      readListUrl,
    )
    .option('--admin <host:port>', 'the admin port of a proxy of ours, for its live WebSockets; repeatable', readAdmins)
    .option('--admin-secret-file <file>', 'the file that holds its key, as of proxy connections')
    .addOption(
      new Option('--id-field <field>', 'where the id is in each item, or a JSON pointer')
        .argParser(readPath)
        .default(['id'], 'id'),
    )
    .option('--id-pattern <regexp>', 'what of that is the id: the first group', readPattern)
    .addOption(
      new Option('--compare <what>', 'ids, or counts where a list has other ids than the keys')
        .choices(['ids', 'counts'])
        .default('ids'),
    )
    .option('--header <header>', "send this header to the lists ('Name: value'); repeatable", collect)
    .option('--insecure', 'do not check certificates', false)
    .addOption(timeOption('--timeout <time>', 'of each response', [1, 600_000], '10s'))
    .addOption(
      new Option('--settle <time>', 'read what is wrong again after so long; 0s reads once')
        .argParser(msFrom(0, 600_000))
        .default(1_000, '1s'),
    );
}

const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];
const readListUrl = (text: string, before: readonly URL[] = []) => [...before, urlFrom(['http', 'https'])(text)];
const readAdmins = (text: string, before: readonly HostPort[] = []) => [...before, readAdmin(text)];

function readPattern(text: string): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch {
    throw new InvalidArgumentError(`must be a regular expression, got '${text}'`);
  }
}

function patternOption(flags: string, description: string, normal: string): Option {
  return new Option(flags, `${description}; none: they are not compared`)
    .argParser(readKeyPattern)
    .default(parseKeyPattern(normal), normal);
}

function readKeyPattern(text: string): KeyPattern | 'none' {
  const pattern = text === 'none' ? text : parseKeyPattern(text);
  if (pattern) return pattern;
  throw new InvalidArgumentError(`must be ${KEY_PATTERN_RULE}, got '${text}'`);
}

const STORE_PROTOCOLS = ['redis', 'rediss', 'valkey', 'valkeys', 'unix'] as const;

/** What is wrong with it is said later, without a password that is in it. */
function readStore(text: string): URL {
  return URL.canParse(text) ? new URL(text) : new URL('invalid:');
}

/** @throws WrongUse that shows no password */
function checkStore({ store: url, storeUser }: StateFlags): void {
  const isKnown = STORE_PROTOCOLS.some((each) => url.protocol === `${each}:`);
  if (!isKnown || (url.protocol === 'unix:' ? url.pathname.length < 2 : url.hostname === '')) {
    const rule = STORE_PROTOCOLS.map((each) => `${each}:`).join(', ');
    throw new WrongUse(`'--store' must be a URL of ${rule} with a host or a path, got another text`);
  }
  if (url.password !== '') {
    throw new WrongUse(`'--store' must have no password, got one: give it by ${PASSWORD} or '--store-password-file'`);
  }
  if (storeUser !== undefined && url.username !== '') {
    throw new WrongUse("'--store-user' must not be given where '--store' has a user, got both");
  }
}

/** @throws WrongUse */
function readAddress(flags: StateFlags): StoreAddress {
  checkStore(flags);
  const { store: url, storeUser, storePasswordFile, storeCa, insecure, timeout: timeoutMs } = flags;
  const database = url.protocol === 'unix:' ? (url.searchParams.get('db') ?? '') : url.pathname.replace(/^\//, '');
  if (!/^\d{0,4}$/.test(database)) {
    throw new WrongUse(`'--store' must end in the number of a database, got '${database}'`);
  }
  const user = storeUser ?? (url.username === '' ? undefined : decodeURIComponent(url.username));
  const password = readPassword(storePasswordFile);
  if (user !== undefined && password === undefined) {
    throw new WrongUse(`'${PASSWORD}' must be set where the store has a user, got none`);
  }
  const ca = storeCa === undefined ? {} : { ca: readText(storeCa, '--store-ca') };
  return { url, user, password, database: Number(database), insecure, timeoutMs, ...ca };
}

/** It is never an argument, which every process of this computer can read. */
function readPassword(file: string | undefined): string | undefined {
  if (file === undefined) return process.env[PASSWORD] === '' ? undefined : process.env[PASSWORD];
  const password = readText(file, '--store-password-file').replace(/\r?\n$/, '');
  if (password !== '') return password;
  throw new WrongUse(`'--store-password-file' must hold a password, got an empty file '${file}'`);
}

function readText(file: string, name: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new WrongUse(`'${name}' must be a readable file, got '${file}' (${code})`);
  }
}

function run(flags: StateFlags): Promise<number> {
  return runCheck('state', { url: showStore(flags.store), json: flags.json }, (context) => compare(flags, context));
}

/** As reports have it: without a user. */
function showStore({ protocol, host, pathname }: URL): string {
  return protocol === 'unix:' ? `unix:${pathname}` : `${protocol}//${host}${pathname}`;
}

async function compare(flags: StateFlags, { signal, progress }: CheckContext): Promise<CheckReport> {
  // The library is only loaded where it is needed.
  const { Store: Stores } = await import('../../check/store.js');
  const address = readAddress(flags);
  const plan = readPlan(flags);
  let store: Store | undefined;
  try {
    progress.describe = () => 'connecting to the store';
    store = await Stores.open(address);
    const report = await checkState(store, plan, signal, progress);
    return {
      figures: listFigures(report),
      lines: describe(report),
      judgement: judgeState(report.findings, flags, signal.aborted),
    };
  } catch (error) {
    if (error instanceof ClusterMode) throw new WrongUse(error.message);
    if (!(error instanceof Unreadable)) throw error;
    const found = new Findings();
    found.addUnknown(error.message);
    return { figures: {}, lines: [], judgement: found.judge() };
  } finally {
    store?.close();
  }
}

/** @throws WrongUse */
function readPlan(flags: StateFlags): StatePlan {
  const { stateKeys, connectionKeys, compare: compares, settle } = flags;
  const readLive = readLiveFrom(flags);
  if (compares === 'counts' && !readLive) {
    throw new WrongUse("'--compare counts' must have '--connections-url' or '--admin', got neither");
  }
  if ([stateKeys !== 'none', connectionKeys !== 'none', readLive !== undefined].filter(Boolean).length < 2) {
    throw new WrongUse("two of '--state-keys', '--connection-keys' and the live connections must be given, got fewer");
  }
  return {
    ...(stateKeys !== 'none' && { stateKeys }),
    ...(connectionKeys !== 'none' && { connectionKeys }),
    ...(readLive && { readLive }),
    ...{ compares, settleMs: settle },
  };
}

function readLiveFrom(flags: StateFlags): LiveReader | undefined {
  const { connectionsUrl = [], admin = [], idField: path, idPattern: pattern, header, insecure, timeout } = flags;
  const place: IdPlace = { path, ...(pattern && { pattern }) };
  const targets = connectionsUrl.map((url) =>
    readTarget({ url, insecure, timeout, json: false, ...(header && { header }) }),
  );
  const readers = [
    ...(targets.length > 0 ? [liveAt(targets, place)] : []),
    ...admin.map((each) => proxyReader(flags, each, place)),
  ];
  if (readers.length === 0) return undefined;
  return async (signal) => (await Promise.all(readers.map((read) => read(signal)))).flat();
}

/** The live WebSockets of a proxy of ours; without those in which the pattern finds no id. */
function proxyReader({ adminSecretFile }: StateFlags, admin: HostPort, place: IdPlace): LiveReader {
  return async () => {
    try {
      const { connections } = await fetchConnections({
        ...{ admin, kind: ['websocket'], limit: MAX_PROXY_CONNECTIONS },
        ...(adminSecretFile !== undefined && { adminSecretFile }),
      });
      return connections.flatMap((each) => readId(each, place) ?? []);
    } catch (error) {
      if (error instanceof WrongUse) throw error;
      throw new Unreadable(`${formatHostPort(admin)} must list its connections, got ${(error as Error).message}`);
    }
  };
}

function listFigures({ figures, findings }: StateReport): object {
  const short = FINDING_NAMES.flatMap((name) => {
    const found = findings[name];
    return found ? [[name, { count: found.count, ids: found.ids.slice(0, MAX_IDS) }] as const] : [];
  });
  return { ...figures, ...Object.fromEntries(short) };
}

const NOT_COMPARED = 'not compared';

function describe({ figures, findings }: StateReport): string[] {
  const { stateKeys = NOT_COMPARED, connectionKeys = NOT_COMPARED, liveConnections = NOT_COMPARED, servers } = figures;
  const names = servers.slice(0, 20).map(({ server, connections }) => `${server} ${connections}`);
  const width = Math.max(...FINDING_NAMES.map((name) => name.length));
  const line = (name: string, text: string | number) => `${name.padEnd(width)}  ${text}`;
  return [
    line('state keys', stateKeys),
    line('connection keys', `${connectionKeys}${names.length > 0 ? ` (${names.join(', ')})` : ''}`),
    line('live connections', liveConnections),
    ...FINDING_NAMES.map((name) => {
      const found = findings[name];
      return line(name, found ? `${found.count}${listIds(found.ids)}` : NOT_COMPARED);
    }),
  ];
}

function listIds(ids: readonly string[]): string {
  if (ids.length === 0) return '';
  return `: ${ids.slice(0, 10).join(', ')}${ids.length > 10 ? ', …' : ''}`;
}

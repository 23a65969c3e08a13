import { readFileSync } from 'node:fs';
import { CutoverError } from '../core/errors/errors';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { CONFIG_VARIABLE } from '../core/proxy/settings/setting-names';
import { decodeText } from '../core/text/decode';
import { describeConfig } from './config/check';
import { ProxyConfig, readConfig } from './config/config';
import type { ConfigSources } from './config/given';
import { Command, readFlags, USAGE } from './config/flags';
import { YamlProblem, parseYamlDocument } from './config/yaml-document';
import { createLog } from './process/log';
import { warnAtStart } from './control/start-warnings';
import { openFileLimit } from './process/file-limit';
import { memoryBudget } from './process/memory-limit';
import { VERSION } from './process/version';
import { SYSTEM_CLOCK } from './process/clock';
import { Elder } from './restart/elder';
import { Life, startLife } from './restart/life';
import { FAILED, crash, endAfterLog } from './workers/exit';
import { isWorker, runWorker } from './workers/worker';

/** With the certificates of an authority in it a file has some hundred thousand. */
const MAX_FILE_CHARACTERS = 2_000_000;
/** What asks for a new generation; SIGHUP is what a terminal sends as it closes. */
const RESTART_SIGNAL = 'SIGUSR2';

/** The proxy did not start. */
class StartFailure extends Error {
  constructor(
    readonly code: number,
    problem: string,
  ) {
    super(problem);
  }
}

if (isWorker()) runWorker();
else void main();

async function main(): Promise<void> {
  const command = readFlags(process.argv.slice(2));
  if (command.kind === 'help') return void process.stdout.write(USAGE);
  if (command.kind === 'version') return void process.stdout.write(`${VERSION}\n`);
  const elder = Elder.find(SYSTEM_CLOCK);
  try {
    if (command.kind === 'wrong') throw new StartFailure(EXIT_CODES.wrongUse.code, `${command.problem}; see --help`);
    if (command.kind === 'check') return void process.stdout.write(check(command));
    await run(command, elder);
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error;
    process.stderr.write(`${error.message}\n`);
    await elder?.failed(error.message);
    process.exit(error.code);
  }
}

async function run(command: Settings, elder: Elder | undefined): Promise<void> {
  const signals = listenForSignals(elder !== undefined);
  elder?.loaded();
  const { config } = resolveConfig(command);
  const log = createLog({ level: config.logLevel, base: { side: config.side, pid: process.pid } });
  process.on('uncaughtException', (error) => crash(log, error));
  process.on('unhandledRejection', (error) => crash(log, error));
  const stopping = new AbortController();
  void signals.inOrder.then(() => stopping.abort(new Error('it was stopped before it listened')));
  const starting = startLife(config, log, { elder, stopped: stopping.signal }).catch((error: unknown) => {
    throw new StartFailure(FAILED, startProblem(error, config));
  });
  void signals.atOnce.then(async (signal) => {
    log.warn({ signal }, 'Second signal: closing at once');
    await starting.then((life) => life.close()).finally(() => endAfterLog(log, FAILED));
  });
  const life = await starting;
  signals.setLife(life);
  const reason = await Promise.race([signals.inOrder, life.notified, life.failed]);
  const problem = reason instanceof Error ? reason : undefined;
  if (problem) log.fatal(`The proxy ends: ${problem.message}`);
  const isInOrder = await life.end(typeof reason === 'string' ? reason : undefined);
  life.exit(isInOrder && !problem ? EXIT_CODES.done.code : FAILED);
}

type Settings = Extract<Command, { kind: 'run' | 'check' }>;

/** What a start would do. What is wrong ends it as it ends a start. */
function check(command: Settings): string {
  const { config, sources } = resolveConfig(command);
  const machine = { memoryBytes: memoryBudget(config.limits.memoryBytes), openFiles: openFileLimit() };
  const warnings: string[] = [];
  warnAtStart(config, { warn: (message) => warnings.push(message) });
  return describeConfig(config, sources, machine, warnings);
}

function resolveConfig(command: Settings): { readonly config: ProxyConfig; readonly sources: ConfigSources } {
  const path = command.configFile ?? process.env[CONFIG_VARIABLE];
  const readText = (file: string) => readFileSync(file, 'utf8');
  try {
    const file: unknown = path === undefined || path === '' ? undefined : readYaml(path);
    const sources = { flags: command.flags, environment: process.env, file, readText };
    return { config: readConfig(sources), sources };
  } catch (error) {
    if (error instanceof CutoverError) throw new StartFailure(EXIT_CODES.wrongUse.code, error.message);
    throw error;
  }
}

function readYaml(path: string): unknown {
  try {
    const text = decodeText(readFileSync(path));
    if (typeof text !== 'string') throw new Error(`its text must be ${text.problem}`);
    return parseYamlDocument(text, MAX_FILE_CHARACTERS)?.value;
  } catch (error) {
    const { message } = error as Error;
    const reason = error instanceof YamlProblem ? `it must be ${message}` : message.split('\n')[0];
    throw new CutoverError('ConfigInvalid', `'config' must be a readable YAML file, got ${path}: ${reason}`, {
      cause: error,
    });
  }
}

interface Signals {
  readonly inOrder: Promise<NodeJS.Signals>;
  readonly atOnce: Promise<NodeJS.Signals>;
  /** For those that another generation has to hear, and for those that ask for one. */
  setLife(life: Life): void;
}

/**
 * The first signal ends in order, a second one at once. Listened for before anything else is done: the first process of
 * a container does not even die of a signal that it has no handler for.
 *
 * @param isLater whether the process that started this one is another generation, whose end is none of this one
 */
function listenForSignals(isLater: boolean): Signals {
  const calls: ((signal: NodeJS.Signals) => void)[] = [];
  const [inOrder, atOnce] = [0, 1].map(() => new Promise<NodeJS.Signals>((resolve) => calls.push(resolve)));
  let setLife: (life: Life) => void = () => undefined;
  const started = new Promise<Life>((resolve) => (setLife = resolve));
  let life: Life | undefined;
  void started.then((found) => (life = found));
  const hear = (signal: NodeJS.Signals) => {
    if (life?.passesOn(signal) !== true) calls.shift()?.(signal);
  };
  process.on('SIGTERM', hear);
  process.on('SIGINT', hear);
  process.on(RESTART_SIGNAL, () => void started.then((found) => found.passesOn(RESTART_SIGNAL) || found.restart()));
  // The process that started it and keeps a channel to it is gone, without a signal: none is left to end it.
  if (!isLater) process.on('disconnect', () => hear('SIGTERM'));
  return { inOrder: inOrder!, atOnce: atOnce!, setLife };
}

function startProblem(error: unknown, config: ProxyConfig): string {
  const { code, port, address, message } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  const name = port !== undefined && port === config.admin?.at.port ? 'admin' : 'listen';
  if (code === 'EADDRINUSE') return `'${name}' must be a free port, got ${address}:${port}, which is in use`;
  if (code === 'EADDRNOTAVAIL') return `'${name}' must be an address of this machine, got ${address}`;
  if (code === 'EACCES') return `'${name}' must be a port that this user may open, got ${port}`;
  return `The proxy did not start: ${message}`;
}

import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import { CutoverError } from '../core/errors/errors';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { CONFIG_VARIABLE } from '../core/proxy/settings/setting-names';
import { decodeText } from '../core/text/decode';
import { formatHostPort } from '../core/validation/host-port';
import type { Integrations } from './aws/snapshot';
import { startIntegrations } from './aws/integrations';
import { describeConfig } from './config/check';
import { ProxyConfig, readConfig } from './config/config';
import type { ConfigSources } from './config/given';
import { Command, readFlags, USAGE } from './config/flags';
import { YamlProblem, parseYamlDocument } from './config/yaml-document';
import { createLog } from './process/log';
import { startProxy } from './control/proxy';
import { warnAtStart } from './control/start-warnings';
import { openFileLimit } from './process/file-limit';
import { memoryBudget } from './process/memory-limit';
import { VERSION } from './process/version';
import { SYSTEM_CLOCK } from './process/clock';
import { openS3Store } from './switch-store/s3-store';
import { readStart } from './switch-store/start';
import { WorkerGroup, startWorkers } from './workers/group';
import { FAILED, crash, endAfterLog } from './workers/exit';
import { isWorker, runWorker } from './workers/worker';

/** With the certificates of an authority in it a file has some hundred thousand. */
const MAX_FILE_CHARACTERS = 2_000_000;

if (isWorker()) runWorker();
else void main();

async function main(): Promise<void> {
  const command = readFlags(process.argv.slice(2));
  if (command.kind === 'help') return void process.stdout.write(USAGE);
  if (command.kind === 'version') return void process.stdout.write(`${VERSION}\n`);
  if (command.kind === 'wrong') return exit(EXIT_CODES.wrongUse.code, `${command.problem}; see --help`);
  if (command.kind === 'check') return void process.stdout.write(check(command));
  const end = listenForSignals();
  const { config } = resolveConfig(command);
  const log = createLog({ level: config.logLevel, base: { side: config.side, pid: process.pid } });
  process.on('uncaughtException', (error) => crash(log, error));
  process.on('unhandledRejection', (error) => crash(log, error));
  const stopping = new AbortController();
  void end.inOrder.then(() => stopping.abort(new Error('it was stopped before it listened')));
  const starting = start(config, log, stopping.signal).catch((error: unknown) =>
    exit(FAILED, startProblem(error, config)),
  );
  void end.atOnce.then(async (signal) => {
    log.warn({ signal }, 'Second signal: closing at once');
    await starting.then((proxy) => proxy.close()).finally(() => endAfterLog(log, FAILED));
  });
  const proxy = await starting;
  const { data, admin, workers } = proxy;
  log.info(
    { data: formatHostPort(data), ...(admin && { admin: formatHostPort(admin) }), ...(workers && { workers }) },
    'Listening',
  );
  const integrations = startIntegrations(config, proxy, log, process.env.ECS_AGENT_URI);
  const asked = end.inOrder.then(() => undefined);
  const problem = await (proxy.failed ? Promise.race([asked, proxy.failed]) : asked);
  if (problem) log.fatal(`The proxy ends: ${problem.message}`);
  // Of several workers none is left to ask afterwards.
  void integrations.flush();
  const isInOrder = await proxy.shutDown().then(
    () => true,
    (error: unknown) => void log.error({ err: error }, 'The shutdown was not in order'),
  );
  await integrations.flush();
  integrations.stop();
  endAfterLog(log, isInOrder && !problem ? EXIT_CODES.done.code : FAILED);
}

type Running = Integrations & Pick<WorkerGroup, 'data' | 'admin' | 'shutDown' | 'close'> & Partial<WorkerGroup>;

async function start(config: ProxyConfig, log: Logger, stopped: AbortSignal): Promise<Running> {
  const { switchStore, side } = config;
  const store = switchStore === undefined ? undefined : await openS3Store(switchStore);
  const started = store && (await readStart(store, side, { clock: SYSTEM_CLOCK, log, stopped }));
  return config.workers > 1 ? startWorkers(config, log, { started }) : startProxy(config, log, { started });
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
    if (error instanceof CutoverError) return exit(EXIT_CODES.wrongUse.code, error.message);
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

interface EndSignals {
  readonly inOrder: Promise<NodeJS.Signals>;
  readonly atOnce: Promise<NodeJS.Signals>;
}

/**
 * The first signal ends in order, a second one at once. Listened for before anything else is done: the first process of
 * a container does not even die of a signal that it has no handler for.
 */
function listenForSignals(): EndSignals {
  const calls: ((signal: NodeJS.Signals) => void)[] = [];
  const [inOrder, atOnce] = [0, 1].map(() => new Promise<NodeJS.Signals>((resolve) => calls.push(resolve)));
  const hear = (signal: NodeJS.Signals) => calls.shift()?.(signal);
  process.on('SIGTERM', hear);
  process.on('SIGINT', hear);
  // The process that started it and keeps a channel to it is gone, without a signal: none is left to end it.
  process.on('disconnect', () => hear('SIGTERM'));
  return { inOrder: inOrder!, atOnce: atOnce! };
}

function startProblem(error: unknown, config: ProxyConfig): string {
  const { code, port, address, message } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  const name = port !== undefined && port === config.admin?.at.port ? 'admin' : 'listen';
  if (code === 'EADDRINUSE') return `'${name}' must be a free port, got ${address}:${port}, which is in use`;
  if (code === 'EADDRNOTAVAIL') return `'${name}' must be an address of this machine, got ${address}`;
  if (code === 'EACCES') return `'${name}' must be a port that this user may open, got ${port}`;
  return `The proxy did not start: ${message}`;
}

function exit(code: number, problem: string): never {
  process.stderr.write(`${problem}\n`);
  process.exit(code);
}

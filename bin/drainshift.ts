#!/usr/bin/env node
import { ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { isEcho, signalChild } from '../core/errors/signals';
import { PROXY_NODE_OPTIONS } from '../lib/shared/assets';
import { hideCredentials } from '../core/text/credentials';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { KEY_RULE, KeyRule } from '../core/replay/key';
import { listSettingFlags } from '../core/proxy/settings/describe-settings';
import { AnyAsked, formatFaults, listFaultRows, listSpellings, parseAsked } from '../rehearsal/faults/describe';
import { CAPTURES } from '../rehearsal/run/capture-name';
import { STATES, STRATEGIES, StateName, StrategyName } from '../rehearsal/run/plan';
import { shellWord } from '../core/text/shell-word';
import { TRUST_OPTION } from '../rehearsal/stack/trust';
import { addAdoptCommand } from './adopt';
import { addHoldCommand } from './hold';
import { readDecimal, wholeNumberFrom } from './shared/numbers';
import { addPlanCommand } from './plan';
import { addConnectionsCommand } from './proxy/connections';
import { addMirrorCommand } from './proxy/mirror';
import { addScenarioCommand } from './scenario';
import { ignoreClosedPipes, listenForStop } from './shared/stop';
import { addUndrainCommand } from './undrain';
import { addCheckCommand } from './check/check';
import { addCaptureCommand } from './replay/capture-command';
import { collect, keyFrom } from './replay/flags';
import { addReplayCommand } from './replay/replay-command';
import { addAbortCommand } from './cutover/abort';
import { addApproveCommand, addRejectCommand } from './cutover/approve';
import { addDoctorCommand } from './cutover/doctor';
import { addEvidenceCommand } from './cutover/evidence';
import { addHistoryCommand } from './cutover/history';
import { addReportCommand } from './cutover/report';
import { addStartCommand } from './cutover/start';
import { addStatusCommand } from './cutover/status';
import { addWatchCommand } from './cutover/watch';
import { CompletedOption, CompletionOption, addCompletionCommand } from './completion';
import { addVerdictCommand } from './verdict';
import { addRestartCommand } from './proxy/restart';
import { addRollCommand } from './proxy/roll';
import { addRollbackCommand } from './cutover/rollback';
import { addVerifyCommand } from './verify';
import { addWeightsCommand } from './weights';

const MIN_NODE = 22;
const { version } = JSON.parse(readFileSync(join(__dirname, '..', '..', 'package.json'), 'utf8')) as {
  version: string;
};

interface RehearseFlags {
  readonly app: string;
  readonly stack?: string;
  readonly migration?: string;
  readonly domain?: string;
  readonly parameter?: ReadonlyMap<string, string>;
  readonly plan?: string;
  readonly strategy?: StrategyName;
  readonly state?: StateName;
  readonly source?: string;
  readonly target?: string;
  readonly scenario?: string;
  readonly har?: string;
  readonly harHost?: string;
  readonly replay?: string;
  readonly key?: KeyRule;
  readonly ignore?: readonly string[];
  readonly compare?: string;
  readonly fault?: AnyAsked;
  readonly listFaults: boolean;
  readonly redeploy?: string;
  readonly approve: boolean;
  readonly allowForeignCommands: boolean;
  /** A file, or true without one. */
  readonly json?: string | true;
  readonly report?: string;
  readonly keep: boolean;
  readonly waitForClients: boolean;
  readonly open: boolean;
  readonly speed: number;
  readonly traffic: number;
  readonly seed?: number;
  readonly mapPort?: ReadonlyMap<number, number>;
}

/** A number of its own for every process that asks, so that runs differ unless `--seed` says otherwise. */
const randomSeed = () => Math.floor(Math.random() * 2 ** 31);

function numberFrom(min: number, max: number) {
  return (text: string) => {
    const value = readDecimal(text);
    if (value !== undefined && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`must be a number from ${min} to ${max}, got '${text}'`);
  };
}

function portMapping(text: string, before: ReadonlyMap<number, number> = new Map()): ReadonlyMap<number, number> {
  const [, from, to] = /^(\d{1,5})=(\d{1,5})$/.exec(text) ?? [];
  if (from === undefined || to === undefined || Number(from) > 65_535 || Number(to) > 65_535) {
    throw new InvalidArgumentError(`must be TEMPLATE_PORT=PORT, each at most 65535, got '${text}'`);
  }
  return new Map([...before, [Number(from), Number(to)]]);
}

function parameter(text: string, before: ReadonlyMap<string, string> = new Map()): ReadonlyMap<string, string> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError(`must be NAME=VALUE, got '${text}'`);
  return new Map([...before, [name, value]]);
}

/** In the order of the help. */
const COMMANDS = [
  addProxyCommand,
  addPlanCommand,
  addScenarioCommand,
  addDoctorCommand,
  addStartCommand,
  addStatusCommand,
  addWatchCommand,
  addApproveCommand,
  addRejectCommand,
  addAbortCommand,
  addRollbackCommand,
  addHistoryCommand,
  addEvidenceCommand,
  addReportCommand,
  addVerifyCommand,
  addVerdictCommand,
  addWeightsCommand,
  addHoldCommand,
  addAdoptCommand,
  addUndrainCommand,
  addCheckCommand,
  addCaptureCommand,
  addReplayCommand,
] as const;

function program(done: (exitCode: number) => void): Command {
  const cli = new Command('drainshift')
    .description('Moves the live traffic of a web application behind an Application Load Balancer, and loses nothing.')
    .version(version)
    // Commander says what it was given: a password in a URL is for no log.
    .configureOutput({ outputError: (text, write) => write(hideCredentials(text)) })
    .exitOverride();
  addRehearseCommand(cli, done);
  for (const add of COMMANDS) add(cli, done);
  addCompletionCommand(cli, listProxyFlags(), done);
  return cli;
}

function addRehearseCommand(cli: Command, done: (exitCode: number) => void): void {
  const command = cli
    .command('rehearse')
    .description(
      'run a whole cutover on this machine, from what would be deployed, under traffic that checks every response',
    )
    .option('--app <dir>', 'a synthesized CDK app', 'cdk.out')
    .option('--stack <name>', 'the stack to rehearse, when more than one of the app has a migration')
    .option('--migration <path>', 'the migration to rehearse, when its stack has more than one')
    .option('--domain <name>', 'the host name, when the template has none')
    .option(
      '--parameter <name=value>',
      'a value that the templates do not tell: of a parameter, of one in SSM, or imported; repeatable',
      parameter,
    )
    .option('--plan <file>', 'a plan (JSON or YAML) instead of the one that was synthesized')
    .addOption(
      new Option('--strategy <name>', "how the traffic moves, in place of the plan's own").choices(
        Object.keys(STRATEGIES),
      ),
    )
    .addOption(
      new Option('--state <name>', "how the state of the rehearsal's own backends goes along in a switch").choices(
        STATES,
      ),
    )
    .addOption(captureOption())
    .option('--source <url>', "your own source backend instead of the rehearsal's")
    .option('--target <url>', "your own target backend instead of the rehearsal's")
    .option('--scenario <file>', "what the clients do (JSON or YAML), instead of the rehearsal's own traffic")
    .option('--har <file>', 'what a browser recorded (HAR), as the scenario')
    .option('--har-host <name>', 'take the requests of this host from the recording, not those of its first page')
    .addOption(faultOption())
    .option(
      '--list-faults',
      'list the faults, where they begin and how the cutover must end (with --json: as JSON)',
      false,
    )
    .option('--redeploy <dir>', 'deploy this changed assembly of the app in the middle of the first bake')
    .option('--no-approve', 'leave approvals that the plan asks for to you')
    .option('--wait-for-clients', 'start the cutover once a client of yours has come', false)
    .option('--open', 'open the address in your browser before the cutover', false)
    .option(`${TRUST_OPTION}`, 'run what the assembly names, also what is not of this package', false)
    .option('--json [file]', 'write the evidence')
    .option('--report <file>', 'write a report with a picture (HTML)')
    .option('--keep', 'leave everything up afterwards, and print the addresses', false)
    .option('--speed <factor>', 'divide bakes, polls and drain deadlines by this', numberFrom(1, 10_000), 60)
    .option('--traffic <factor>', 'multiply the traffic by this: 0.2 for a small machine', numberFrom(0.1, 1000), 1)
    .option('--seed <number>', 'repeat the random draws of another run', wholeNumberFrom(0, 2 ** 32 - 1))
    .option(
      '--map-port <from=to>',
      "bind a listener's port elsewhere: 443=8443, 9201=0 for any free one; repeatable",
      portMapping,
    )
    .addHelpText('after', listExitCodes())
    .action(async (flags: RehearseFlags) => done(flags.listFaults ? listFaults(flags) : await rehearse(flags)));
  withRecording(command);
}

function withRecording(command: Command): void {
  command
    .option(
      '--replay <file>',
      'captured traffic that the clients send, to your own backends: a file, or a folder of them; --traffic is its pace',
    )
    .option('--key <rule>', `of --replay, what keeps its order in time: ${KEY_RULE} (default: connection)`, keyFrom)
    .option('--compare <file>', 'of --replay, write what differs from the recorded responses: FILE.json or FILE.html')
    .option(
      '--ignore <field>',
      'of --replay, or of a plan that compares, a field that is not compared, such as body.meta.*; repeatable',
      collect,
    );
}

function listExitCodes(): string {
  const lines = Object.values(EXIT_CODES).map(({ code, meaning }) => `${String(code).padStart(4)}  ${meaning}`);
  return `\nExit codes:\n${lines.join('\n')}`;
}

function captureOption(): Option {
  const what = 'where the proxies of the source record their traffic, as their template says';
  return new Option('--capture <store>', what).choices(CAPTURES);
}

function faultOption(): Option {
  const option = new CompletedOption(
    '--fault <name@phase>',
    'break something on purpose: see --list-faults',
    listSpellings(),
  );
  return option.argParser((text) => {
    try {
      return parseAsked(text);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  });
}

function listFaults({ json }: RehearseFlags): number {
  const text = json === undefined ? formatFaults() : `${JSON.stringify(listFaultRows(), null, 2)}\n`;
  if (typeof json !== 'string') {
    process.stdout.write(text);
    return EXIT_CODES.done.code;
  }
  try {
    writeFileSync(json, text);
    return EXIT_CODES.done.code;
  } catch (error) {
    process.stderr.write(
      `drainshift: '--json' must be writable, got '${json}' (${(error as { code?: string }).code})\n`,
    );
    return EXIT_CODES.failed.code;
  }
}

function addProxyCommand(cli: Command, done: (exitCode: number) => void): void {
  const command = cli
    .command('proxy')
    .description(
      'run the proxy by hand: --listen HOST:PORT --upstream URL [--admin HOST:PORT] [--config FILE] [--check]; or ask one that runs: connections, mirror, restart, roll',
    )
    .allowUnknownOption()
    .helpOption(false)
    .helpCommand(false)
    .argument('[options...]', "the proxy's own; see proxy --help")
    .action(async (flags: string[]) => done(await proxy(flags)));
  addConnectionsCommand(command, done);
  addMirrorCommand(command, done);
  addRestartCommand(command, done);
  addRollCommand(command, done);
}

async function rehearse({
  mapPort,
  allowForeignCommands,
  parameter: parameters,
  json,
  ...flags
}: RehearseFlags): Promise<number> {
  if (json === true) {
    process.stderr.write("error: '--json' must name a file for the evidence, got none\n");
    return EXIT_CODES.wrongUse.code;
  }
  const seed = flags.seed ?? randomSeed();
  // Asked again: the processes that were started end with this one.
  const signal = listenForStop();
  // The local cloud takes ten times as long to load as all of the rest.
  const { rehearseCommand } = await import('../rehearsal/cli/command.js');
  return rehearseCommand(
    {
      ...flags,
      ...(json !== undefined && { json }),
      seed,
      ports: mapPort ?? new Map(),
      parameters,
      version,
      trust: allowForeignCommands ? 'everything' : 'ownBundles',
      command: commandLine(flags.seed === undefined ? ['--seed', String(seed)] : []),
    },
    process.stdout,
    signal,
  );
}

/** What was typed, and what has to be added to see the same again. */
function commandLine(more: readonly string[]): string {
  const words = [...process.argv.slice(2), ...more];
  return ['drainshift', ...words.map(shellWord)].join(' ');
}

/** Every setting of the proxy is a flag. */
function listProxyFlags(): CompletionOption[] {
  return [
    { flag: '--config', description: 'a file with settings (YAML)' },
    { flag: '--check', description: 'start nothing: say what is wrong with the settings, or what the proxy would do' },
    ...listSettingFlags(),
    { flag: '--help', description: 'display help' },
    { flag: '--version', description: 'output the version number' },
  ];
}

/** The very bundle that the image holds, as a process of its own. */
function proxy(flags: readonly string[]): Promise<number> {
  const bundle = join(__dirname, '..', 'assets', 'proxy', 'proxy.js');
  // In a group of its own: what a terminal sends to all of its group would reach it twice, and the second signal ends it at once.
  const child = spawn(process.execPath, [...PROXY_NODE_OPTIONS, bundle, ...flags], {
    // The channel says nothing: it breaks with this process, even by SIGKILL, and the proxy then ends in order.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    detached: true,
  });
  // The last one asks for a new generation.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) forward(signal, child);
  return new Promise((resolve) => {
    child.on('error', (error) => {
      process.stderr.write(`drainshift: the proxy must start, got ${error.message}\n`);
      resolve(EXIT_CODES.failed.code);
    });
    child.on('exit', (code) => resolve(code ?? EXIT_CODES.failed.code));
  });
}

function forward(signal: NodeJS.Signals, child: ChildProcess): void {
  let forwardedMs = -Infinity;
  process.on(signal, () => {
    const nowMs = performance.now();
    if (isEcho(forwardedMs, nowMs)) return;
    forwardedMs = nowMs;
    signalChild(child, signal);
  });
}

async function main(): Promise<void> {
  if (Number(process.versions.node.split('.')[0]) < MIN_NODE) {
    process.stderr.write(`drainshift: Node.js must be ${MIN_NODE} or newer, got ${process.versions.node}\n`);
    process.exit(EXIT_CODES.wrongUse.code);
  }
  ignoreClosedPipes();
  let exitCode: number = EXIT_CODES.done.code;
  try {
    await program((code) => (exitCode = code)).parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander has said what is wrong; help and version are no errors.
    exitCode = error.exitCode === 0 ? EXIT_CODES.done.code : EXIT_CODES.wrongUse.code;
  }
  // Written out before the end: a pipe may still hold the summary.
  process.stdout.write('', () => process.exit(exitCode));
}

void main();

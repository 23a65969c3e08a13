import { ChildProcess, fork, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signalChild } from '../../core/errors/signals';
import type { CheckpointPlan } from '../../core/plan/state-plan';
import { renderCheckpointDocument } from '../../core/state/checkpoint-document';
import { SIDES, Side } from '../../core/traffic/weights';
import { shellWord } from '../../core/text/shell-word';
import { entryPath } from '../processes/entry';
import { ownAssets } from '../processes/own-assets';
import { sendSignal } from '../processes/signal';
import { until } from '../processes/waiting';
import { HostOptions, readPid } from './host-options';
import { CommandDocument, LocalCommands } from './local-commands';

interface HostsOptions {
  /** How criu is called. */
  readonly criu: string;
  /** Of the plan: under its names they are called. */
  readonly plan: CheckpointPlan;
  /** What runs on each host: it listens at `APPLICATION_PORT`, and keeps no pipe and no terminal. */
  readonly application: readonly string[];
}

export interface Hosts {
  /** The application of each, from outside. */
  readonly urls: Readonly<Record<Side, string>>;
  readonly commands: LocalCommands;
  /** The id of the process that is the application of a side now; undefined where there is none. */
  findProcess(side: Side): number | undefined;
  findPidFile(side: Side): string;
  /** As a supervisor does: another application takes the place of what runs there. */
  restart(side: Side): void;
  stop(): Promise<void>;
}

interface Host {
  readonly url: string;
  readonly pidFile: string;
  readonly start: string;
  stop(): void;
}

const APPLICATION_WITHIN_MS = 60_000;
const NEVER = new AbortController().signal;

/**
 * Two hosts on this machine, each with a network of its own and an application in it: what is restored from one on the other finds its port
 * free. Takes root.
 */
export async function startHosts({ criu, plan, application }: HostsOptions): Promise<Hosts> {
  // Images are as large as the memory: there they cost no disk.
  const folder = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'drainshift-hosts-'));
  const started: Partial<Record<Side, Host>> = {};
  const stop = async () => {
    await commands?.stop();
    for (const { pidFile, stop: end } of Object.values(started)) {
      endProcess(pidFile);
      end();
    }
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  };
  let commands: LocalCommands | undefined;
  try {
    for (const side of SIDES) started[side] = await startHost(side, folder, application);
    const { source, target } = started as Record<Side, Host>;
    commands = new LocalCommands(
      new Map([[plan.documentName, buildDocument(criu, folder, { source, target })]]),
      SIDES.map((side) => plan[side].instanceId),
    );
    return {
      urls: { source: source.url, target: target.url },
      commands,
      findProcess: (side) => readPid(started[side]!.pidFile),
      findPidFile: (side) => started[side]!.pidFile,
      restart: (side) => {
        const { pidFile, start } = started[side]!;
        endProcess(pidFile);
        launch(start);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function buildDocument(criu: string, folder: string, hosts: Readonly<Record<Side, Host>>): CommandDocument {
  const script = readFileSync(join(ownAssets(), 'host', 'checkpoint.sh'), 'utf8');
  const asked = { engine: 'criu', engineCommand: criu, folder: join(folder, 'images'), ...hosts } as const;
  return renderCheckpointDocument(asked, script) as CommandDocument;
}

async function startHost(side: Side, folder: string, application: readonly string[]): Promise<Host> {
  const pidFile = join(folder, `${side}.pid`);
  const network = await startNetwork({ side, pidFile, folder });
  const command = [
    ...['nsenter', `--net=/proc/${network.process.pid}/ns/net`],
    ...['perl', join(ownAssets(), 'host', 'start.pl'), pidFile, ...application],
  ];
  const start = command.map(shellWord).join(' ');
  launch(start);
  const stop = () => void signalChild(network.process, 'SIGTERM');
  try {
    await until(() => readPid(pidFile) !== undefined, {
      withinMs: APPLICATION_WITHIN_MS,
      signal: NEVER,
      problem: () => `the application of the ${side} must start, got no process from: ${start}`,
    });
    await responding(network.url, side);
  } catch (error) {
    endProcess(pidFile);
    stop();
    throw error;
  }
  return { url: network.url, pidFile, start, stop };
}

function launch(command: string): void {
  spawn('setsid', ['bash', '-c', command], { stdio: 'ignore', detached: true }).unref();
}

async function responding(url: string, side: Side): Promise<void> {
  let last = 'no response';
  let hasResponded = false;
  const asking = (async () => {
    while (!hasResponded) {
      try {
        await (await fetch(url, { signal: AbortSignal.timeout(1_000) })).arrayBuffer();
        hasResponded = true;
      } catch (error) {
        last = (error as Error).message;
      }
    }
  })();
  await until(() => hasResponded, {
    withinMs: APPLICATION_WITHIN_MS,
    signal: NEVER,
    problem: () => `the application of the ${side} must respond, got ${last}`,
  }).finally(() => (hasResponded = true));
  await asking;
}

/** @returns the process that holds the network, and the way into it */
async function startNetwork(options: HostOptions): Promise<{ readonly url: string; readonly process: ChildProcess }> {
  const child = fork(entryPath('hosts/host'), [JSON.stringify(options)], {
    execPath: 'unshare',
    execArgv: ['--net', process.execPath],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const server = createServer();
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`a network of its own must be made, got exit code ${code}`)));
  });
  failed.catch(() => undefined);
  try {
    await Promise.race([nextMessage(child), failed]);
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    child.send('listener', server);
    await Promise.race([nextMessage(child), failed]);
    return { url: `http://127.0.0.1:${port}`, process: child };
  } catch (error) {
    signalChild(child, 'SIGKILL');
    throw error;
  } finally {
    server.close();
  }
}

function nextMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => child.once('message', resolve));
}

/** Process 1 of its namespace: all others of it end with it. */
function endProcess(pidFile: string): void {
  sendSignal(readPid(pidFile), 'SIGKILL');
}

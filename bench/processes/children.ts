import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCommand } from './machine';
import { listProcessTree } from './proc';

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface StartOptions {
  /** For its log and for messages. */
  readonly name: string;
  /** A `taskset` list. */
  readonly cores?: string | undefined;
  readonly openFiles?: number;
  /** `lines`: its standard output is read here; otherwise it goes to the log. */
  readonly output?: 'lines' | 'log';
}

export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly process: ChildProcess;
  /** Resolves with the exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
  isRunning(): boolean;
  /** What it wrote of its end, for a message. */
  logTail(): string;
  /** All that it wrote. */
  log(): string;
  /** Kills it and all that it started. */
  kill(): Promise<void>;
}

/** Everything that a run has started; nothing of it outlives the run, however that ends. */
export class Children {
  readonly #live = new Set<Child>();
  readonly #directory: string;
  #started = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  start(launch: Launch, options: StartOptions): Child {
    this.#started += 1;
    const logFile = join(this.#directory, `${this.#started}-${options.name.replace(/\W+/g, '-')}.log`);
    const log = openSync(logFile, 'a');
    const [command = '', ...args] = wrapped(launch, options);
    // A child that reads its standard input learns of our end, even of a SIGKILL.
    const child = spawn(command, args, {
      stdio: ['pipe', options.output === 'lines' ? 'pipe' : log, log],
      env: { ...process.env, ...launch.env },
    });
    closeSync(log);
    child.stdin?.on('error', () => undefined);
    const entry = track(child, options.name, logFile);
    this.#live.add(entry);
    void entry.ended.then(() => this.#live.delete(entry));
    return entry;
  }

  async killAll(): Promise<void> {
    await Promise.all([...this.#live].map((child) => child.kill()));
  }

  /** For the last moment of our own process, when nothing can be waited for. */
  killAllNow(): void {
    for (const child of this.#live) killTree(child.pid);
  }
}

function track(child: ChildProcess, name: string, logFile: string): Child {
  let isRunning = child.pid !== undefined;
  const ended = new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  }).finally(() => (isRunning = false));
  const pid = child.pid ?? -1;
  return {
    name,
    pid,
    process: child,
    ended,
    isRunning: () => isRunning,
    logTail: () => readTail(readFileSync(logFile, 'utf8')),
    log: () => readFileSync(logFile, 'utf8'),
    kill: async () => {
      if (isRunning) killTree(pid);
      await ended;
    },
  };
}

/** The line that names the error, where there is one: Node puts a stack below it. */
function readTail(log: string): string {
  const lines = log.split('\n').filter((line) => line !== '' && !/^Debugger |^For help, see/.test(line));
  return lines.findLast((line) => /^\w*Error\b|\[emerg\]|\[ALERT\]/.test(line)) ?? lines.slice(-3).join('\n');
}

/** nginx's workers outlive a killed master, so the whole tree goes. */
function killTree(root: number): void {
  // One that could not be started has none; 0 and less are groups, or every process of the user.
  if (root <= 0) return;
  for (const pid of listProcessTree(root)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
  }
}

/** `prlimit` and `taskset` become the command itself, so that the process id stays the same. */
function wrapped(launch: Launch, { cores, openFiles }: StartOptions): string[] {
  const limit = openFiles === undefined || !canLimit() ? [] : ['prlimit', `--nofile=${openFiles}:${openFiles}`, '--'];
  const pin = cores === undefined ? [] : ['taskset', '-c', cores];
  return [...limit, ...pin, launch.command, ...launch.args];
}

let isLimitable: boolean | undefined;
function canLimit(): boolean {
  isLimitable ??= hasCommand('prlimit');
  return isLimitable;
}

/** Keeps this process off the proxy's core, too. */
export function pinSelf(cores: string | undefined): void {
  if (cores !== undefined) spawnSync('taskset', ['-a', '-c', '-p', cores, String(process.pid)], { stdio: 'ignore' });
}

import { ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { signalChild } from '../../core/errors/signals';
import { machineTime } from './machine-time';

/** A process of the rehearsal's own, and what it said when it was ready. */
export interface Entry<Ready> {
  readonly ready: Ready;
  readonly process: ChildProcess;
  /** Resolves with a line that says how it went, once it is gone. */
  readonly exited: Promise<string>;
  /** SIGTERM, and SIGKILL when it is still there after `graceMs`. Asking twice is the same as asking once. */
  stop(graceMs?: number): Promise<void>;
}

/** One that ends is noticed at once; this is for one that hangs, on a slow machine too. */
const READY_WITHIN_MS = 120_000;
const STOP_GRACE_MS = 5_000;
const MAX_ERROR = 16_384;

/**
 * The compiled file of an entry, whether this file runs compiled or as TypeScript in a test.
 *
 * @param name Below `rehearsal/`, without extension: `backend/app`.
 * @throws Error when it has not been built.
 */
export function entryPath(name: string): string {
  const compiled = __filename.endsWith('.js')
    ? join(__dirname, '..')
    : join(__dirname, '..', '..', 'dist', 'rehearsal');
  const path = join(compiled, `${name}.js`);
  if (!existsSync(path)) throw new Error(`'${name}' must be built first (npm run build), got no file ${path}`);
  return path;
}

/**
 * Starts an entry in a process of its own and waits until it says that it is ready.
 *
 * @param options Given to the entry as JSON; see `entryOptions`.
 * @throws Error with its own reason in one line when it ends before that, or takes too long; it is gone then.
 */
export async function startEntry<Ready>(
  name: string,
  options: unknown,
  readyWithinMs = READY_WITHIN_MS,
): Promise<Entry<Ready>> {
  const child = fork(entryPath(name), [JSON.stringify(options)], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let problem = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (problem = (problem + text).slice(-MAX_ERROR)));
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(`${signal ?? `exit code ${code}`} ${reasonIn(problem)}`.trim()));
  });
  let isLate = false;
  const limit = machineTime.limit(readyWithinMs, () => (isLate = signalChild(child, 'SIGKILL')));
  const failed = exited.then((how) =>
    Promise.reject(
      new Error(
        isLate ? `'${name}' must be ready within ${readyWithinMs} ms, got nothing` : `'${name}' must start, got ${how}`,
      ),
    ),
  );
  const ready = await Promise.race([findReady<Ready>(child), failed]).finally(() => limit.clear());
  return { ready, process: child, exited, stop: (graceMs) => stopChild(child, exited, graceMs ?? STOP_GRACE_MS) };
}

function findReady<Ready>(child: ChildProcess): Promise<Ready> {
  return new Promise((resolve) => {
    const listen = (message: unknown) => {
      if (typeof message !== 'object' || message === null || !('ready' in message)) return;
      child.off('message', listen);
      resolve(message.ready as Ready);
    };
    child.on('message', listen);
  });
}

async function stopChild(child: ChildProcess, exited: Promise<string>, graceMs: number): Promise<void> {
  const kill = setTimeout(() => signalChild(child, 'SIGKILL'), graceMs);
  signalChild(child, 'SIGTERM');
  await exited;
  clearTimeout(kill);
}

/** The one line of a standard error that says why: the message of an uncaught error, or else the last line. */
function reasonIn(problem: string): string {
  const messages = [...problem.matchAll(/^\w*Error(?: \[\w+\])?: (.+)$/gm)];
  return messages.at(-1)?.[1] ?? problem.trimEnd().split('\n').at(-1) ?? '';
}

/** Inside an entry: the options that it was started with. */
export function entryOptions<Options>(): Options {
  return JSON.parse(process.argv[2] ?? '{}') as Options;
}

/**
 * Inside an entry: says that it is ready, and ends it when the process that started it is gone. Ctrl-C reaches every process
 * of a
 * terminal; an entry leaves it to the one that started it, so that things stop in order.
 */
export function announceReady(ready: unknown): void {
  process.on('SIGINT', () => undefined);
  process.on('disconnect', () => process.exit(0));
  process.send?.({ ready });
}

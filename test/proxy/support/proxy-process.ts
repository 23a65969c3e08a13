import { ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildSync } from 'esbuild';
import { SECRET } from './proxy-world';
import { later, until } from './world';

export interface Line {
  readonly msg: string;
  readonly level?: number;
  readonly pid?: number;
  readonly data?: string;
  readonly admin?: string;
  readonly worker?: number;
  readonly workers?: number;
  readonly path?: string;
  readonly generation?: number;
}

/** The proxy as a process of its own, from the one file that an image holds. */
export interface ProxyProcess {
  readonly child: ChildProcess;
  readonly lines: Line[];
  readonly stderr: () => string;
  readonly exit: Promise<number | null>;
  /** It has exited, and all that it said is here. */
  readonly hasEnded: () => boolean;
}

export interface ProxyBundle {
  /** Where a proxy runs: the one file is there, and whatever a test puts beside it. */
  readonly folder: string;
  /** `openFiles`: with this limit of them. */
  run(args: readonly string[], environment?: Record<string, string>, openFiles?: number): ProxyProcess;
  remove(): void;
}

/** Made once a test file. */
export function bundleProxy(): ProxyBundle {
  const folder = mkdtempSync(path.join(tmpdir(), 'drainshift-proxy-'));
  const bundle = path.join(folder, 'proxy.js');
  buildSync({
    entryPoints: [path.join(__dirname, '../../../proxy/main.ts')],
    bundle: true,
    platform: 'node',
    target: 'node24',
    outfile: bundle,
    alias: { '@platformatic/wasm-utils': '@platformatic/wasm-utils/bundled' },
    define: { 'import.meta.url': '__filename' },
  });
  return {
    folder,
    run: (args, environment = {}, openFiles) => run(folder, bundle, args, environment, openFiles),
    remove: () => rmSync(folder, { recursive: true }),
  };
}

function run(
  folder: string,
  bundle: string,
  args: readonly string[],
  environment: Record<string, string>,
  openFiles: number | undefined,
): ProxyProcess {
  const command = [process.execPath, bundle, ...args];
  // The shell becomes the proxy: its process is the one that is watched and killed.
  const limited =
    openFiles === undefined ? command : ['sh', '-c', `ulimit -n ${openFiles} && exec "$@"`, 'sh', ...command];
  const child = spawn(limited[0]!, limited.slice(1), {
    cwd: folder,
    env: { DRAINSHIFT_ADMIN_SECRET: SECRET, ...environment },
  });
  const lines: Line[] = [];
  let pending = '';
  let stderr = '';
  child.stdout.on('data', (bytes: Buffer) => {
    const parts = (pending + bytes.toString()).split('\n');
    pending = parts.pop() ?? '';
    for (const part of parts) lines.push(part.startsWith('{') ? (JSON.parse(part) as Line) : { msg: part });
  });
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
  let hasEnded = false;
  const exit = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  void exit.then(() => (hasEnded = true));
  later(() => {
    killAll(child);
    // One that is left would keep them open, and with them this process.
    child.stdout.destroy();
    child.stderr.destroy();
  });
  return { child, lines, stderr: () => stderr, exit, hasEnded: () => hasEnded };
}

/** The pids of the processes that it started and that live. */
export function findChildren({ pid }: Pick<ChildProcess, 'pid'>): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return text === '' ? [] : text.split(' ').map(Number);
  } catch {
    return [];
  }
}

/** The same, and those that these have started. A process whose parent has ended is none any more. */
export function findDescendants({ pid }: Pick<ChildProcess, 'pid'>): number[] {
  const children = findChildren({ pid });
  return [...children, ...children.flatMap((child) => findDescendants({ pid: child }))];
}

/** One that has ended and that no process has collected lives no more. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && process.platform !== 'linux';
  }
}

export function kill(pid: number | undefined): void {
  if (pid !== undefined && isAlive(pid)) process.kill(pid, 'SIGKILL');
}

/** With all that it has started: workers outlive a primary that is killed, as long as they have connections. */
export function killAll(one: { readonly pid?: number | undefined }): void {
  for (const pid of [...(one.pid === undefined ? [] : findDescendants({ pid: one.pid })), one.pid]) kill(pid);
}

/** Waits for its one line `Listening`, and returns the ports. */
export async function listening(proxy: ProxyProcess): Promise<{ port: number; admin: number }> {
  const { data, admin } = await logged(proxy, /^Listening$/);
  return { port: Number(data?.split(':')[1]), admin: Number(admin?.split(':')[1]) };
}

/** The first line with such a message, as soon as it is there; an exit without it is told at once. */
export async function logged(proxy: ProxyProcess, pattern: RegExp): Promise<Line> {
  const find = () => proxy.lines.find(({ msg }) => pattern.test(msg));
  await until(
    () => find() !== undefined,
    () => describeExit(proxy, pattern),
  );
  return find()!;
}

function describeExit(proxy: ProxyProcess, pattern: RegExp): string | undefined {
  const { hasEnded, child, lines, stderr } = proxy;
  if (!hasEnded()) return undefined;
  const log = lines.map(({ msg }) => msg).join('\n');
  return `an exit with ${child.exitCode ?? child.signalCode} and without ${pattern}:\n${log}\n${stderr()}`;
}

export function messages(proxy: ProxyProcess): string[] {
  return proxy.lines.map(({ msg }) => msg);
}

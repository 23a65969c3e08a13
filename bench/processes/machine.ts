import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { readVersion } from './resolve';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly date: string;
  /** By name: node, nginx, haproxy, wrk, http-proxy, … Absent ones are left out. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Which cores a process may be pinned to, and how many files it may open. */
export interface Placement {
  /** A `taskset` list; undefined where nothing can be pinned. */
  readonly proxyCore: number | undefined;
  readonly loadCores: string | undefined;
  readonly openFiles: number;
  /** What the reader of the figures must know. */
  readonly warnings: readonly string[];
}

export function machine(): Machine {
  const found = {
    node: process.versions.node,
    nginx: firstMatch('nginx', ['-v'], /nginx\/(\S+)/),
    haproxy: firstMatch('haproxy', ['-v'], /version (\S+)/),
    wrk: firstMatch('wrk', ['-v'], /wrk \S*?(\d[\w.]*)/),
    'http-proxy': readVersion('http-proxy'),
    '@fastify/http-proxy': readVersion('@fastify/http-proxy'),
  };
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    date: new Date().toISOString(),
    versions: Object.fromEntries(
      Object.entries(found).filter((pair): pair is [string, string] => pair[1] !== undefined),
    ),
  };
}

/** The proxy gets the first core of ours alone, the load and the upstream all others. */
export function placement(): Placement {
  const warnings: string[] = [];
  const cores = allowedCores();
  const canPin = hasCommand('taskset') && cores.length > 1;
  if (!hasCommand('taskset'))
    warnings.push('taskset is missing (apt-get install util-linux): nothing is pinned to a core');
  else if (!canPin) warnings.push('only one core: the load takes its time from the proxy');
  const openFiles = raisedFileLimit();
  return {
    proxyCore: canPin ? cores[0] : undefined,
    loadCores: canPin ? cores.slice(1).join(',') : undefined,
    openFiles,
    warnings,
  };
}

export function hasCommand(name: string): boolean {
  return spawnSync(name, ['--version'], { stdio: 'ignore' }).error === undefined;
}

function allowedCores(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return list.split(',').flatMap((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** The most files that a process of ours may open: as many as are wanted, or else what the hard limit says. */
function raisedFileLimit(): number {
  const wanted = 65_536;
  const hard = Number(/^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 1024);
  if (hard >= wanted) return wanted;
  const raise = spawnSync('prlimit', [`--nofile=${wanted}:${wanted}`, 'true'], { stdio: 'ignore' });
  return raise.status === 0 ? wanted : hard;
}

function firstMatch(command: string, args: readonly string[], pattern: RegExp): string | undefined {
  const { error, stdout, stderr } = spawnSync(command, [...args], { encoding: 'utf8' });
  return error ? undefined : pattern.exec(`${stdout}${stderr}`)?.[1];
}

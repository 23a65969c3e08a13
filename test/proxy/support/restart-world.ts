import { writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { stringify } from 'yaml';
import type { LedgerReport } from '../../../core/proxy/admin-api';
import { ProxyBundle, ProxyProcess, killAll, listening } from './proxy-process';
import { callAdmin, findReport } from './proxy-world';
import { Got, later, startBackend, until } from './world';

export interface RestartWorld {
  readonly proxy: ProxyProcess;
  readonly port: number;
  readonly admin: number;
  /** What is said in the file of settings from now on, beside what is needed to run. */
  write(settings: object): void;
  readonly file: string;
}

/** A proxy as a process, by a file of settings that a test can change, in front of two backends that say who they are. */
export async function startRestartable(
  bundle: ProxyBundle,
  settings: object = {},
  handler: http.RequestListener = (_, response) => response.end('source'),
  environment: Record<string, string> = {},
): Promise<RestartWorld> {
  const backend = await startBackend(handler);
  const other = await startBackend((_, response) => response.end('target'));
  const file = path.join(bundle.folder, `settings-${backend.port}.yaml`);
  const needed = {
    listen: '127.0.0.1:0',
    admin: '127.0.0.1:0',
    upstream: `http://127.0.0.1:${backend.port}`,
    other_upstream: `http://127.0.0.1:${other.port}`,
    grace_period_seconds: 1,
    graceful_shutdown_timeout_seconds: 4,
    propagation_seconds: 0,
  };
  const write = (more: object) => writeFileSync(file, stringify({ ...needed, ...more }));
  write(settings);
  const proxy = bundle.run(['--config', file], environment);
  // Those whose parent has ended have another one: each generation with its workers.
  later(() => {
    for (const { pid } of proxy.lines) killAll({ pid });
  });
  return { proxy, ...(await listening(proxy)), write, file };
}

export async function restart({ admin }: { readonly admin: number }, order: object = {}): Promise<Got> {
  return callAdmin(admin, { method: 'POST', path: '/restart', body: JSON.stringify(order) });
}

/** The process of a generation, as its line in the log says. */
export function findPid(proxy: ProxyProcess, generation: number): number | undefined {
  const line = proxy.lines.find(({ msg, generation: number = 1 }) => msg === 'Listening' && number === generation);
  return line?.pid;
}

export async function endOf(proxy: ProxyProcess, generation: number): Promise<void> {
  const pid = findPid(proxy, generation);
  await until(() =>
    proxy.lines.some((line) => line.pid === pid && /^All connections of this generation/.test(line.msg)),
  );
}

/** Clients that ask without a pause, each on a connection that it keeps for as long as it may. */
export class Askers {
  asked = 0;
  readonly problems: string[] = [];
  readonly bodies = new Set<string>();
  private isOver = false;
  private readonly loops: Promise<void>[];

  constructor(
    private readonly port: number,
    count: number,
  ) {
    later(() => void (this.isOver = true));
    this.loops = Array.from({ length: count }, () => this.loop());
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.loops);
  }

  /** Resolves when so many more have had their response. */
  async more(count: number): Promise<void> {
    const goal = this.asked + count;
    await until(() => this.asked >= goal);
  }

  private async loop(): Promise<void> {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    later(() => agent.destroy());
    while (!this.isOver) {
      await this.ask(agent).catch((error: unknown) => void this.problems.push(String(error)));
      this.asked += 1;
    }
    agent.destroy();
  }

  private ask(agent: http.Agent): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = http.get({ host: '127.0.0.1', port: this.port, agent }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => (body += text));
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode !== 200) this.problems.push(`${response.statusCode} ${body}`);
          this.bodies.add(body);
          resolve();
        });
      });
      request.on('error', reject);
    });
  }
}

/** Every counter of a report, by a name. */
export function counters({ ended, requests, bytes }: LedgerReport): Record<string, number> {
  return Object.fromEntries(flatten({ ended, requests, bytes }));
}

function flatten(value: object, name = ''): [string, number][] {
  return Object.entries(value).flatMap(([key, each]) =>
    typeof each === 'number'
      ? [[`${name}${key}`, each] as [string, number]]
      : flatten(each as object, `${name}${key}.`),
  );
}

/** The report, and what it has gone back on since the one before. */
export async function watchCounters(
  admin: number,
  before: LedgerReport | undefined,
): Promise<{ report: LedgerReport; wentBack: string[] }> {
  const report = await findReport(admin);
  const [was, is] = [before ? counters(before) : {}, counters(report)];
  return { report, wentBack: Object.keys(was).filter((name) => is[name]! < was[name]!) };
}

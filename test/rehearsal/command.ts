import { ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Process, findDescendants, isAlive } from './processes';

export const ROOT = resolve(__dirname, '../..');
const CLI = join(ROOT, 'dist/bin/drainshift.js');
/** Any free ports: rehearsals of tests run beside each other. */
export const FREE_PORTS = ['--map-port', '443=0', '--map-port', '9201=0', '--map-port', '9202=0'];

export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** The command as a person runs it: a real process. */
export class Command {
  output = '';
  readonly ended: Promise<Ended>;
  private readonly child: ChildProcess;
  private readonly seen = new Map<string, Process>();
  private readonly watch: NodeJS.Timeout | undefined;

  /** @param over a working folder, where its temporary files go, a limit of open files, and whether `running` is asked */
  constructor(args: readonly string[], { cwd = ROOT, temporary = tmpdir(), files = '', isWatched = false } = {}) {
    const env = { ...process.env, TMPDIR: temporary };
    const command = [process.execPath, CLI, ...args];
    const limited = ['/bin/sh', '-c', `ulimit -n ${files} && exec "$@"`, 'sh', ...command];
    const [file = '', ...rest] = files === '' ? command : limited;
    this.child = spawn(file, rest, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.on('data', (chunk) => (this.output += String(chunk)));
    this.child.stderr?.on('data', (chunk) => (this.output += String(chunk)));
    if (isWatched) this.watch = setInterval(() => this.look(), 250);
    this.ended = new Promise((done) =>
      this.child.on('close', (code) => {
        clearInterval(this.watch);
        done({ code, output: this.output });
      }),
    );
  }

  /** Every process that a watched one has started so far and that is still there, by its command line. */
  running(): string[] {
    if (this.watch === undefined) throw new Error('who asks what is left must have it watched from the start');
    this.look();
    return [...this.seen.values()].filter(isAlive).map(({ command }) => command);
  }

  /** Nobody reads on: `| head -1`. */
  stopReading(): void {
    this.child.stdout?.destroy();
  }

  private look(): void {
    for (const each of findDescendants(this.child.pid ?? 0)) this.seen.set(`${each.pid} ${each.started}`, each);
  }

  /** Waits until the output holds this, and gives its first group. */
  async says(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(this.output);
      if (found) return found[1] ?? found[0];
      if (this.child.exitCode !== null)
        throw new Error(`ended with ${this.child.exitCode} before it said ${pattern}:\n${this.output}`);
      await new Promise((next) => setTimeout(next, 20));
    }
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }
}

/** A plan for rehearsals that are not about the plan: two stages, each as short as a verdict allows. */
export function shortPlan(folder: string): string[] {
  const stages = [
    { weights: { source: 50, target: 50 }, bakeSeconds: 90 },
    { weights: { source: 0, target: 100 }, bakeSeconds: 30 },
  ];
  const file = join(folder, 'short-plan.json');
  writeFileSync(file, JSON.stringify({ stages }));
  return ['--plan', file, '--speed', '60', '--traffic', '0.15'];
}

export function run(args: readonly string[]): Promise<Ended> {
  return new Command(args).ended;
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'drainshift-test-'));
}

/** The package's own app, synthesized without the CDK's command line: what it does is run the app. */
export function synthesize(folder: string, strategy?: string, capture?: 's3' | 'kafka'): string {
  const out = join(folder, 'cdk.out');
  const { context: own } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8')) as { context: object };
  const asked = { 'drainshift:strategy': strategy, 'drainshift:capture': capture };
  const context = { ...own, ...asked };
  execFileSync(process.execPath, [join(ROOT, 'dist/bin/app.js')], {
    // Its templates are validated by a test of the app itself.
    env: {
      PATH: process.env.PATH,
      CDK_OUTDIR: out,
      CDK_CONTEXT_JSON: JSON.stringify(context),
      CDK_VALIDATION: 'false',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return out;
}

/** The proxies of a rehearsal: the processes whose working folder is in the assembly. */
export function findProxies(assembly: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(assembly);
      } catch {
        return false;
      }
    });
}

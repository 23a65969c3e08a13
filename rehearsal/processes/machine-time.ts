import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** What a process can see of the machine between two ticks. */
export interface MachineReading {
  readonly elapsedMs: number;
  /** In which its event loop had work, on a processor or waiting for one. */
  readonly activeMs: number;
  /** In which the process was on a processor. */
  readonly cpuMs: number;
  /** Threads of the whole machine that run or wait for a processor. @default - this machine does not tell */
  readonly runnable?: number | undefined;
  readonly processors: number;
}

const EVERY_MS = 100;
/** Of less work than this the two clocks say nothing: they are read one after the other. */
const MIN_ACTIVE_MS = 20;
/** Time goes on, however little a process gets: what hangs is found at last. */
const MIN_SHARE = 0.05;
/** Below this a machine is short of processor time: half of what the processes want. */
const SHORT_OF_TIME = 0.5;
/** A loop with this much work has no room for more. */
const FULL_LOOP = 0.95;
/** How much of the average is the newest tick: it reaches back about a second. */
const NEWEST = 0.1;
/** After so long without a word of the other process it stands still. */
const SILENT_MS = 1_000;

/**
 * How much of its processor time a process got that wanted it (0.05–1), by the worse of two signs: that its event loop had
 * work and was not on a processor, and that more threads want to run than there are processors. No response is a sign: who
 * waits for a response wants no processor, so what hangs looks like a machine at rest.
 */
export function shareOfTime({ activeMs, cpuMs, runnable = 0, processors }: MachineReading): number {
  const own = activeMs < MIN_ACTIVE_MS ? 1 : cpuMs / activeMs;
  const all = runnable <= processors ? 1 : processors / runnable;
  return Math.max(MIN_SHARE, Math.min(1, own, all));
}

/** How much of the time that has passed counts for a limit: of a standstill two ticks, and of all the share that was had. */
export function countedMs(elapsedMs: number, share: number): number {
  return Math.min(elapsedMs, 2 * EVERY_MS) * share;
}

/** A limit in the time that this machine had. */
export interface Limit {
  clear(): void;
  /** Begins anew. */
  refresh(): void;
}

interface Pending {
  readonly ms: number;
  readonly late: () => void;
  dueMs: number;
}

/** What another process says of its machine time. */
export interface MachineNews {
  readonly share: number;
  readonly utilization: number;
}

/**
 * The time that this process and its machine had, which is what limits count that decide a verdict: a machine that is short
 * of processor time is slow, and nothing is lost by that. The limits of a machine at rest are those of the wall clock.
 */
export class MachineTime {
  /** Milliseconds; only differences mean something. */
  nowMs = 0;
  /** Wall-clock milliseconds that did not count. */
  standstillMs = 0;
  /** Averages of about a second. */
  share = 1;
  utilization = 0;
  private readonly pending = new Set<Pending>();
  private heard: { readonly news: MachineNews; readonly atMs: number } | undefined;
  private timer: NodeJS.Timeout | undefined;
  private clockMs = performance.now();
  private cpu = process.cpuUsage();
  private loop = performance.eventLoopUtilization();

  /** Begins to count; the first limit does so, too. */
  start(): void {
    if (this.timer) return;
    this.read();
    // Behind the reads: what came while the process stood still is no longer awaited.
    this.timer = setInterval(() => setImmediate(() => this.tick()), EVERY_MS).unref();
  }

  /** Calls `late` when so much time of this machine has passed. */
  limit(ms: number, late: () => void): Limit {
    this.start();
    const pending = { ms, late, dueMs: this.nowMs + ms };
    this.pending.add(pending);
    return {
      clear: () => void this.pending.delete(pending),
      refresh: () => void (pending.dueMs = this.nowMs + ms),
    };
  }

  /** Keeps no process running. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.limit(ms, resolve));
  }

  /** The other process that this one's work goes through: the time of both is what counts. */
  hear(news: MachineNews): void {
    this.heard = { news, atMs: performance.now() };
  }

  get news(): MachineNews {
    return { share: this.share, utilization: this.utilization };
  }

  /** Whether this machine cannot do what is asked of it: too little time, or a loop without room. */
  get isShort(): boolean {
    const { share = 1, utilization = 0 } = this.heard?.news ?? {};
    return Math.min(this.share, share) < SHORT_OF_TIME || Math.max(this.utilization, utilization) > FULL_LOOP;
  }

  private tick(): void {
    const { reading, isSilent } = this.read();
    const share = Math.min(shareOfTime(reading), this.heard?.news.share ?? 1);
    const utilization = Math.min(1, reading.activeMs / Math.max(1, reading.elapsedMs));
    const counted = isSilent ? 0 : countedMs(reading.elapsedMs, this.share);
    this.share += NEWEST * (Math.min(share, countedMs(reading.elapsedMs, 1) / reading.elapsedMs) - this.share);
    this.utilization += NEWEST * (utilization - this.utilization);
    this.nowMs += counted;
    this.standstillMs += reading.elapsedMs - counted;
    for (const each of this.pending) {
      if (this.nowMs < each.dueMs) continue;
      this.pending.delete(each);
      each.late();
    }
  }

  private read(): { reading: MachineReading; isSilent: boolean } {
    const nowMs = performance.now();
    const cpu = process.cpuUsage();
    const loop = performance.eventLoopUtilization();
    const reading = {
      elapsedMs: Math.max(1, nowMs - this.clockMs),
      activeMs: loop.active - this.loop.active,
      cpuMs: (cpu.user - this.cpu.user + cpu.system - this.cpu.system) / 1000,
      runnable: countRunnable(),
      processors: availableParallelism(),
    };
    [this.clockMs, this.cpu, this.loop] = [nowMs, cpu, loop];
    return { reading, isSilent: this.heard !== undefined && nowMs - this.heard.atMs > SILENT_MS };
  }
}

/** @see https://man7.org/linux/man-pages/man5/proc_loadavg.5.html */
function countRunnable(): number | undefined {
  try {
    return Number(/ (\d+)\//.exec(readFileSync('/proc/loadavg', 'utf8'))?.[1]) || undefined;
  } catch {
    return undefined;
  }
}

/** Of this process. */
export const machineTime = new MachineTime();

/** The work, told by a signal when it is late. */
export async function withinMachineTime<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController();
  const limit = machineTime.limit(ms, () => late.abort(new Error(`no response in ${ms} ms`)));
  try {
    return await work(late.signal);
  } finally {
    limit.clear();
  }
}

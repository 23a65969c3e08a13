import type { Logger } from 'pino';
import type { LedgerReport } from '../../core/proxy/admin-api';
import { activeSum, carriedSum } from '../../core/proxy/merge-reports';
import type { Clock } from '../process/clock';
import { Member } from './member';
import type { ResponseTo, ListenProblem, RpcRequest, ToWorker } from './messages';
import { WorkerGone, WorkerLate } from './rpc';

/** A worker that listened for less than this did not start. */
const STEADY_MS = 2_000;
/** So often in a row one may fail to start before no other is started. */
const MAX_FAILED_STARTS = 5;
/** Before the third attempt; doubled with each further one. */
const FIRST_PAUSE_MS = 100;
const TELL_OTHERS_MS = 1_000;

export interface MembersOptions {
  readonly workers: number;
  readonly portFd: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** What a worker is told first, asked for when it is ready. */
  readonly init: (worker: number) => ToWorker;
  /** A worker ended; its last report is its last word. */
  readonly ended: (member: Member) => void;
}

/** `starting`: not all have listened yet. `complete`: they have; one that ends is replaced. `ending`: none is. */
export type MembersState = 'starting' | 'complete' | 'ending';

/** The workers of a group: there are as many as configured, until the group ends. */
export class Members {
  /** Resolves when all listen. */
  readonly complete: Promise<void>;
  /** Resolves with the reason when a worker cannot be started. */
  readonly failed: Promise<Error>;
  private readonly current = new Map<number, Member>();
  private readonly failedStarts = new Map<number, number>();
  private tellComplete: () => void = () => undefined;
  private tellFailed: (error: Error) => void = () => undefined;
  private tellEmpty: () => void = () => undefined;
  private state: MembersState = 'starting';
  private areInOrder = true;
  private cancelOthers: () => void = () => undefined;

  constructor(private readonly options: MembersOptions) {
    this.complete = new Promise((resolve) => (this.tellComplete = resolve));
    this.failed = new Promise((resolve) => (this.tellFailed = resolve));
    for (let worker = 1; worker <= options.workers; worker += 1) this.spawnWorker(worker);
    this.tellOthers();
  }

  /** Those that respond. One that is still loading is told everything when it starts. */
  get started(): Member[] {
    return [...this.current.values()].filter(({ isStarted }) => isStarted);
  }

  /**
   * Asks all; one that ends meanwhile is left out.
   *
   * @throws WorkerLate with all that do not respond in time
   */
  askAll<Q extends RpcRequest>(requestFor: (member: Member) => Q): Promise<ResponseTo<Q>[]> {
    return responds(this.started.map((member) => member.ask(requestFor(member))));
  }

  /** As `askAll`; afterwards each has it as its last report, too. */
  reports(): Promise<LedgerReport[]> {
    return responds(this.started.map((member) => member.report()));
  }

  /** Resolves when all have ended: whether all of them did in order. */
  async shutDown(): Promise<boolean> {
    await this.end((member) => {
      // One that does not listen yet has no connections.
      if (member.isStarted) member.send({ type: 'shutDown' });
      else member.kill();
    });
    return this.areInOrder;
  }

  /** At once, with all connections. */
  kill(): Promise<void> {
    return this.end((member) => member.kill());
  }

  private end(how: (member: Member) => void): Promise<void> {
    this.state = 'ending';
    const empty = new Promise<void>((resolve) => (this.tellEmpty = resolve));
    for (const member of this.current.values()) how(member);
    if (this.current.size === 0) this.tellEmpty();
    return empty.then(() => this.cancelOthers());
  }

  private spawnWorker(worker: number): void {
    if (this.state === 'ending') return;
    const { portFd, clock, init } = this.options;
    const member = new Member(worker, portFd, clock, {
      ready: () => member.send(init(worker)),
      listening: () => this.listening(member),
      ended: () => this.ended(member),
    });
    this.current.set(worker, member);
  }

  private listening({ worker, pid }: Member): void {
    if (this.state === 'ending') return;
    if (this.state === 'complete')
      this.options.log.info({ worker, pid }, 'A worker listens in the place of the one that ended');
    const all = [...this.current.values()];
    if (all.length < this.options.workers || all.some((member) => member.listeningSinceMs === undefined)) return;
    this.state = 'complete';
    this.tellComplete();
  }

  private ended(member: Member): void {
    this.current.delete(member.worker);
    this.options.ended(member);
    if (this.state !== 'ending') return this.replace(member);
    const { code } = member.ending;
    if (code !== 0 && member.isStarted) {
      this.areInOrder = false;
      this.options.log.error({ worker: member.worker, ...member.ending }, 'A worker ended before its connections did');
    }
    if (this.current.size === 0) this.tellEmpty();
  }

  private replace(member: Member): void {
    const { worker, ending, problem } = member;
    const failures = this.countFailedStart(member);
    // What keeps the first ones from listening is the configuration: another attempt would end in the same way.
    if (problem && this.state === 'starting') return this.tellFailed(buildError(problem));
    if (failures >= MAX_FAILED_STARTS) return this.tellFailed(new Error(hopeless(member, failures)));
    const { log, clock } = this.options;
    log.error({ worker, pid: member.pid, ...ending, problem }, 'A worker ended, another one takes its place');
    if (failures <= 1) this.spawnWorker(worker);
    else clock.after(FIRST_PAUSE_MS * 2 ** (failures - 2), () => this.spawnWorker(worker));
  }

  private countFailedStart({ worker, listeningSinceMs }: Member): number {
    const isSteady = listeningSinceMs !== undefined && this.options.clock.nowMs() - listeningSinceMs >= STEADY_MS;
    const failures = isSteady ? 0 : (this.failedStarts.get(worker) ?? 0) + 1;
    this.failedStarts.set(worker, failures);
    return failures;
  }

  private tellOthers(): void {
    this.cancelOthers = this.options.clock.after(TELL_OTHERS_MS, () => this.tellOthers());
    for (const member of this.started) {
      const others = this.started.flatMap((other) => (other !== member && other.lastReport ? [other.lastReport] : []));
      member.send({ type: 'others', active: activeSum(others), carried: carriedSum(others) });
    }
  }
}

async function responds<T>(asked: readonly Promise<T>[]): Promise<T[]> {
  const late: number[] = [];
  const notified = (await Promise.allSettled(asked)).flatMap((result) => {
    if (result.status === 'fulfilled') return [result.value];
    if (result.reason instanceof WorkerLate) late.push(...result.reason.workers);
    else if (!(result.reason instanceof WorkerGone)) throw result.reason;
    return [];
  });
  if (late.length > 0) throw new WorkerLate(late);
  return notified;
}

function hopeless({ worker, ending, problem }: Member, failures: number): string {
  const last = problem?.message ?? ending.signal ?? `exit code ${ending.code}`;
  return `worker ${worker} must start, got ${failures} failures in a row, the last one ${last}`;
}

function buildError({ message, ...more }: ListenProblem): Error {
  return Object.assign(new Error(message), more);
}

import type { Logger } from 'pino';
import type { LedgerReport } from '../../core/proxy/admin-api';
import { activeSum, carriedSum } from '../../core/proxy/merge-reports';
import type { ComparedPair } from '../../core/compare/difference-tally';
import type { HandoverAddress } from '../handover/messages';
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
  /** They prove themselves, and listen when `open` is called. */
  readonly isStaged?: boolean;
  /** One listens. */
  readonly listens?: (member: Member) => void;
  /** The mirror of one has compared these. */
  readonly compared?: (pairs: readonly ComparedPair[]) => void;
  /** A worker ended; its last report is its last word. */
  readonly ended: (member: Member) => void;
}

/** `staged`: they prove themselves, and one that ends is a failure. `starting`: not all have listened yet. `complete`: they have; one that ends is replaced. `ending`: none is. */
export type MembersState = 'staged' | 'starting' | 'complete' | 'ending';

/** The workers of a group: there are as many as configured, until the group ends. */
export class Members {
  /** Resolves when all staged ones have proved themselves. */
  readonly proven: Promise<void>;
  /** Resolves when all serve what the generation before gives them. */
  readonly unlistened: Promise<void>;
  /** Resolves when all listen. */
  readonly complete: Promise<void>;
  /** Resolves with the reason when a worker cannot be started. */
  readonly failed: Promise<Error>;
  private readonly current = new Map<number, Member>();
  private readonly failedStarts = new Map<number, number>();
  private readonly provenWorkers = new Set<number>();
  private readonly unlistenedWorkers = new Set<number>();
  private tellProven: () => void = () => undefined;
  private tellUnlistened: () => void = () => undefined;
  private tellComplete: () => void = () => undefined;
  private tellFailed: (error: Error) => void = () => undefined;
  private empty: Promise<void> | undefined;
  private tellEmpty: () => void = () => undefined;
  private state: MembersState = 'starting';
  private areInOrder = true;
  private cancelOthers: () => void = () => undefined;

  constructor(private readonly options: MembersOptions) {
    if (options.isStaged === true) this.state = 'staged';
    this.proven = new Promise((resolve) => (this.tellProven = resolve));
    this.unlistened = new Promise((resolve) => (this.tellUnlistened = resolve));
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
    return responds(this.started, (member) => member.ask(requestFor(member)));
  }

  /** As `askAll`; afterwards each has it as its last report, too. */
  reports(): Promise<LedgerReport[]> {
    return responds(this.started, (member) => member.report());
  }

  /** Where they take connections of the generation before. */
  get handover(): HandoverAddress[] {
    return this.started.flatMap(({ handover }) => handover ?? []);
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

  /** Those that do not respond. */
  async killHanging(): Promise<void> {
    const late = await this.reports().then(
      (): readonly number[] => [],
      (error: unknown) => (error instanceof WorkerLate ? error.workers : []),
    );
    for (const member of this.current.values()) {
      if (!late.includes(member.worker)) continue;
      const { worker, pid } = member;
      this.options.log.error({ worker, pid }, 'A worker does not respond, and is killed: it should have ended');
      member.kill();
    }
  }

  /** Another generation accepts: resolves when the connections of all have ended, and with them the workers. */
  async retire(handover: readonly HandoverAddress[]): Promise<boolean> {
    await this.end((member) => {
      if (member.isStarted) member.send({ type: 'retire', handover });
      else member.kill();
    });
    return this.areInOrder;
  }

  /** Another generation takes over: tells them where their connections can go now. */
  handOverTo(handover: readonly HandoverAddress[]): void {
    for (const member of this.started) member.send({ type: 'handover', handover });
  }

  /** Has those that are staged listen. */
  open(message: (worker: number) => ToWorker): void {
    if (this.state === 'staged') this.state = 'starting';
    for (const member of this.current.values()) member.send(message(member.worker));
  }

  /** Has them serve without listening. They stay staged: one that ends is a failure of all. */
  openUnlistened(message: (worker: number) => ToWorker): void {
    for (const member of this.current.values()) member.send(message(member.worker));
  }

  private end(how: (member: Member) => void): Promise<void> {
    this.state = 'ending';
    const empty = (this.empty ??= new Promise<void>((resolve) => (this.tellEmpty = resolve)));
    for (const member of this.current.values()) how(member);
    if (this.current.size === 0) this.tellEmpty();
    return empty.then(() => this.cancelOthers());
  }

  private spawnWorker(worker: number): void {
    if (this.state === 'ending') return;
    const { portFd, clock, init } = this.options;
    const member = new Member(worker, portFd, clock, {
      ready: () => member.send(init(worker)),
      proven: () => this.proves(worker),
      listening: () => this.listening(member),
      unlistened: () => this.serves(worker),
      compared: (pairs) => this.options.compared?.(pairs),
      ended: () => this.ended(member),
    });
    this.current.set(worker, member);
  }

  private proves(worker: number): void {
    this.provenWorkers.add(worker);
    if (this.provenWorkers.size === this.options.workers) this.tellProven();
  }

  private serves(worker: number): void {
    this.unlistenedWorkers.add(worker);
    if (this.unlistenedWorkers.size === this.options.workers) this.tellUnlistened();
  }

  private listening(member: Member): void {
    const { worker, pid } = member;
    if (this.state === 'ending') return;
    this.options.listens?.(member);
    if (this.state === 'complete')
      this.options.log.info({ worker, pid }, 'A worker listens in the place of the one that ended');
    const all = [...this.current.values()];
    if (all.length < this.options.workers || all.some(({ listeningSinceMs }) => listeningSinceMs === undefined)) return;
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
    if (problem && this.state !== 'complete') return this.tellFailed(buildError(problem));
    if (this.state === 'staged') return this.tellFailed(new Error(hopeless(member, failures)));
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

async function responds<T>(members: readonly Member[], ask: (member: Member) => Promise<T>): Promise<T[]> {
  const late: number[] = [];
  const notified = (await Promise.allSettled(members.map(ask))).flatMap((result, index) => {
    // What one has left that has ended meanwhile is counted already.
    if (members[index]!.hasLeft) return [];
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

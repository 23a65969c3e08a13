import { setTimeout as pause } from 'node:timers/promises';
import type { ReadMark } from '../capture/contract/reader';
import type { EventStream } from '../capture/read/event-stream';
import type { CapturedRequest } from '../core/capture/connection-assembly';
import { parseRequestLine } from '../core/capture/http-message';
import type { TimedEvent } from '../core/capture/time-order';
import { isSafeMethod } from '../core/traffic/safe-methods';
import { Attempts, RetryRules } from '../core/replay/attempts';
import { KeyRule, findKey } from '../core/replay/key';
import { OutgoingRequest, Rewrite, buildOutgoing, opensTunnel } from '../core/replay/outgoing';
import { PositionTracker } from '../core/replay/position';
import { ReplayOrder } from '../core/replay/replay-order';
import type { Replayed, TargetResponse } from '../core/replay/tuple';
import type { ParkedRequest } from './place/parked-place';
import { Results } from './results';
import type { Attempt, Sender } from './send';

/** Changes a request that is about to be sent. @returns undefined for one that is to be left out */
export type Transform = (request: OutgoingRequest, recorded: CapturedRequest) => Promise<OutgoingRequest | undefined>;

export interface SendingPlan {
  readonly key: KeyRule;
  readonly rewrite: Rewrite;
  /** Of the URL of the target, without a slash at its end. */
  readonly path: string;
  readonly transforms: readonly Transform[];
  /** How many times as fast as it was recorded; Infinity for as fast as the order allows. */
  readonly speed: number;
  /** Requests a second at most. */
  readonly rate: number;
  /** In milliseconds since 1970, as the end is. */
  readonly fromMs: number;
  readonly toMs: number;
  /** In capitals; all of them where there is none. */
  readonly methods: ReadonlySet<string>;
  readonly maxInFlight: number;
  /** Requests that wait for others. */
  readonly maxWaiting: number;
  readonly maxWaitingBytes: number;
  readonly retry: RetryRules;
}

export interface ReplayCounts {
  /** Requests that got a response of the target. */
  sent: number;
  /** Attempts that did not. */
  failed: number;
  parked: number;
  /** Requests that were left out, by the methods, by a transform, or because they open a tunnel. */
  skipped: number;
  /** Those of them that change something. */
  skippedWrites: number;
  /** Those of an earlier run. */
  finishedBefore: number;
  /** Requests that came behind one of their key that was recorded later: the window was too short. */
  reordered: number;
}

interface Job {
  readonly request: CapturedRequest;
  readonly dueMs: number;
  readonly bytes: number;
}

export interface ReplayParts {
  readonly events: EventStream;
  readonly sender: Pick<Sender, 'send'>;
  readonly results: Results;
  readonly position: PositionTracker;
  readonly park: (parked: ParkedRequest) => Promise<void>;
  /** False once another replay may send in its place. */
  readonly isHeld?: () => boolean;
  /** Until it is passed, nothing waits for its recorded time. */
  readonly mark?: ReadMark;
}

/** Of so many keys it is known how far they are. */
const MAX_KEYS = 200_000;

/** How long what is under way may take once the replay is to stop. */
const STOP_MS = 10_000;

/** Sends what was recorded to the target, in the order that it had. */
export class Replay {
  readonly counts: ReplayCounts = {
    sent: 0,
    failed: 0,
    parked: 0,
    skipped: 0,
    skippedWrites: 0,
    finishedBefore: 0,
    reordered: 0,
  };
  /** What the target did last that it should not. */
  lastProblem: string | undefined;
  /** How long after its time a request was sent last; in milliseconds. */
  behindMs = 0;
  /** Of the last event: how far the replay is in recorded time. */
  reachedMs: number | undefined;
  firstParked: ParkedRequest | undefined;
  firstSkippedWrite: CapturedRequest | undefined;
  private readonly order = new ReplayOrder();
  private readonly jobs = new Map<string, Job>();
  private readonly attempts: Attempts;
  /** The time of the latest request of each key, the one that was seen last at the end. */
  private readonly latest = new Map<string, number>();
  private waitingBytes = 0;
  private inFlight = 0;
  private nextSendMs = 0;
  private rateTimer: NodeJS.Timeout | undefined;
  private firstMs: number | undefined;
  private startedMs = 0;
  /** Called when a request is finished. */
  private wake: () => void = () => undefined;
  private failure: Error | undefined;
  private readonly kill = new AbortController();

  constructor(
    private readonly plan: SendingPlan,
    private readonly parts: ReplayParts,
    private readonly signal: AbortSignal,
  ) {
    this.attempts = new Attempts(plan.retry);
  }

  /** Since when the target gives no response; undefined where it does. */
  get outageSinceMs(): number | undefined {
    return this.attempts.outageSinceMs;
  }

  get waiting(): number {
    return this.order.size;
  }

  /** Of those that are not finished, the first that was recorded. */
  get oldest(): CapturedRequest | undefined {
    const isWanted = ({ message }: CapturedRequest) => this.isWanted(parseRequestLine(message.startLine)?.method ?? '');
    return this.jobs.values().next().value?.request ?? this.parts.events.findFirst(isWanted);
  }

  /** Whether all that was in the store when this mark was set is finished. */
  hasCaughtUp(mark: string): boolean {
    return this.parts.events.passedMark === mark && this.order.size === 0;
  }

  private get isHurried(): boolean {
    const { mark, events } = this.parts;
    return mark?.id !== events.passedMark;
  }

  /** @throws Error that says why not all was sent */
  async run(): Promise<void> {
    const onAbort = () => this.wake();
    this.signal.addEventListener('abort', onAbort);
    try {
      await this.readAll();
      while (this.order.size > 0 && !this.isStopping) await this.nextFinish();
    } catch (error) {
      // What was read before it counts.
      while (this.order.size > 0 && !this.isStopping) await this.nextFinish();
      this.failure ??= error as Error;
    } finally {
      await this.stop();
      this.signal.removeEventListener('abort', onAbort);
    }
    if (this.failure) throw this.failure;
  }

  private get isStopping(): boolean {
    return this.signal.aborted || this.failure !== undefined || this.parts.isHeld?.() === false;
  }

  private async readAll(): Promise<void> {
    for await (const events of this.parts.events.read()) {
      for (const event of events) {
        if (this.isStopping) return;
        if (event.timeMs > this.plan.toMs) {
          // Ends of what was sent may follow, and are not worth the wait.
          return;
        }
        await this.see(event);
      }
    }
  }

  private async see(event: TimedEvent): Promise<void> {
    this.reachedMs = event.timeMs;
    if (event.timeMs < this.plan.fromMs || event.kind === 'message') return;
    if (event.kind === 'request') return this.admit(event.request, event.timeMs);
    this.parts.position.reach(event.timeMs);
    const { id, message } = event.response;
    if (message.headBytes > 0) this.order.end(id, message.lastByteMs);
    await this.parts.results.addRecorded(id, message);
  }

  private async admit(request: CapturedRequest, timeMs: number): Promise<void> {
    const { position, results } = this.parts;
    if (position.isFinished(request.id)) {
      this.counts.finishedBefore += 1;
      return;
    }
    position.add(request.id, timeMs);
    const dueMs = await this.pace(request);
    while (!this.isStopping && this.isFull) await this.nextFinish();
    if (this.isStopping) return;
    const { message } = request;
    const method = parseRequestLine(message.startLine)?.method ?? '';
    if (message.problem === undefined && (!this.isWanted(method) || opensTunnel(request))) {
      this.skip(request);
      return position.finish(request.id);
    }
    results.expect(request.id);
    const key = findKey(this.plan.key, request);
    this.noteTime(key, timeMs);
    const bytes = message.raw.length + 1_000;
    this.jobs.set(request.id, { request, dueMs, bytes });
    this.waitingBytes += bytes;
    this.order.add({ id: request.id, key, connection: request.connectionId, startMs: message.firstByteMs });
    this.pump();
  }

  private skip(request: CapturedRequest): void {
    this.counts.skipped += 1;
    if (isSafeMethod(parseRequestLine(request.message.startLine)?.method ?? '')) return;
    this.counts.skippedWrites += 1;
    this.firstSkippedWrite ??= request;
  }

  private noteTime(key: string, timeMs: number): void {
    const latestMs = this.latest.get(key) ?? -Infinity;
    if (timeMs < latestMs) this.counts.reordered += 1;
    this.latest.delete(key);
    this.latest.set(key, Math.max(timeMs, latestMs));
    if (this.latest.size > MAX_KEYS) this.latest.delete(this.latest.keys().next().value!);
  }

  private isWanted(method: string): boolean {
    return this.plan.methods.size === 0 || this.plan.methods.has(method);
  }

  private get isFull(): boolean {
    return this.order.size >= this.plan.maxWaiting || this.waitingBytes >= this.plan.maxWaitingBytes;
  }

  /** Waits until its time. @returns when it was due, by `performance.now()` */
  private async pace({ message }: CapturedRequest): Promise<number> {
    const nowMs = performance.now();
    if (this.firstMs === undefined) {
      this.firstMs = message.firstByteMs;
      this.startedMs = nowMs;
    }
    if (this.plan.speed === Infinity) return nowMs;
    const dueMs = this.startedMs + (message.firstByteMs - this.firstMs) / this.plan.speed;
    if (dueMs - nowMs < 1 || this.isHurried) return dueMs;
    const { mark } = this.parts;
    const waiting = mark?.pause(dueMs - nowMs, this.signal) ?? pause(dueMs - nowMs, undefined, { signal: this.signal });
    await waiting.catch(() => undefined);
    return dueMs;
  }

  /** Sends all that may be sent by now. */
  private pump(): void {
    while (this.inFlight < this.plan.maxInFlight && !this.isStopping) {
      const nowMs = performance.now();
      if (this.nextSendMs > nowMs) {
        this.rateTimer ??= setTimeout(
          () => {
            this.rateTimer = undefined;
            this.pump();
          },
          Math.ceil(this.nextSendMs - nowMs),
        );
        return;
      }
      const next = this.order.next();
      if (!next) return;
      this.nextSendMs = Math.max(this.nextSendMs, nowMs - 100) + 1_000 / this.plan.rate;
      this.inFlight += 1;
      const job = this.jobs.get(next.id)!;
      this.behindMs = Math.max(0, nowMs - job.dueMs);
      this.handle(job)
        .catch((error: unknown) => (this.failure ??= error as Error))
        .finally(() => {
          this.inFlight -= 1;
          this.pump();
          this.wake();
        });
    }
  }

  private nextFinish(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
      if (this.isStopping) resolve();
    });
  }

  private async handle(job: Job): Promise<void> {
    const { request } = job;
    const { id, message } = request;
    let sent: OutgoingRequest | undefined;
    try {
      if (message.problem !== undefined)
        return await this.park(job, `it cannot be sent: ${message.problem}`, undefined, []);
      sent = await this.prepare(request);
    } catch (error) {
      return this.park(job, `its transform failed: ${(error as Error).message}`, undefined, []);
    }
    // It may have taken long: another replay may go on by now.
    if (this.isStopping) return;
    if (!sent) {
      this.skip(request);
      return this.finish(job);
    }
    const errors: string[] = [];
    const targetResponses: TargetResponse[] = [];
    for (;;) {
      const attempt = await this.parts.sender.send(sent, this.kill.signal);
      if (this.kill.signal.aborted) return;
      if (attempt.response) targetResponses.push(attempt.response);
      else errors.push('problem' in attempt.end ? attempt.end.problem : '');
      const next = this.judge(id, attempt);
      if (next.kind === 'done') {
        this.counts.sent += 1;
        await this.addResult(request, { sent, targetResponses, errors });
        return this.finish(job);
      }
      if (next.kind === 'park') return this.park(job, next.problem, sent, errors, targetResponses);
      if (next.kind === 'stop') {
        this.failure ??= new Error(next.problem);
        return;
      }
      await pause(next.pauseMs, undefined, { signal: this.signal }).catch(() => undefined);
      if (this.isStopping) return;
    }
  }

  private judge(id: string, { end }: Attempt) {
    const next = this.attempts.judge(id, end, performance.now());
    if (next.kind !== 'done') {
      this.counts.failed += 1;
      this.lastProblem = end.kind === 'response' ? `status ${end.status}` : end.problem;
    }
    return next;
  }

  private async prepare(request: CapturedRequest): Promise<OutgoingRequest | undefined> {
    let outgoing: OutgoingRequest | undefined = buildOutgoing(request, this.plan.rewrite, this.plan.path);
    for (const transform of this.plan.transforms) {
      outgoing = await transform(outgoing, request);
      if (!outgoing) return undefined;
    }
    return outgoing;
  }

  private async park(
    job: Job,
    problem: string,
    sent: OutgoingRequest | undefined,
    errors: readonly string[],
    targetResponses: readonly TargetResponse[] = [],
  ): Promise<void> {
    const { request } = job;
    this.counts.parked += 1;
    this.firstParked ??= { request, problem };
    await this.parts.park({ request, problem });
    await this.addResult(request, { sent, targetResponses, errors, parked: problem });
    this.finish(job);
  }

  /** Its recorded response may come later. */
  private addResult(
    { id, message }: CapturedRequest,
    outcome: Pick<Replayed, 'sent' | 'targetResponses' | 'errors' | 'parked'>,
  ): Promise<void> {
    return this.parts.results.addReplayed({ id, request: message, response: undefined, ...outcome });
  }

  private finish({ request: { id }, bytes }: Job): void {
    this.jobs.delete(id);
    this.waitingBytes -= bytes;
    this.order.finish(id);
    this.parts.position.finish(id);
  }

  /** What is under way may end; what waits does not start. */
  private async stop(): Promise<void> {
    clearTimeout(this.rateTimer);
    const endMs = performance.now() + STOP_MS;
    const timer = setTimeout(() => {
      this.kill.abort();
      this.wake();
    }, STOP_MS);
    while (this.inFlight > 0 && performance.now() < endMs) {
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    clearTimeout(timer);
    await this.parts.results.end();
  }
}

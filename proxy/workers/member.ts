import { variableName } from '../../core/proxy/settings/setting-names';
import { ChildProcess, fork } from 'node:child_process';
import type { LedgerReport } from '../../core/proxy/admin-api';
import { signalChild } from '../../core/errors/signals';
import type { HandoverAddress } from '../handover/messages';
import type { ComparedPair } from '../../core/compare/difference-tally';
import type { Clock } from '../process/clock';
import type { FinalRecord } from '../telemetry/final-record';
import { ResponseTo, FromWorker, ListenProblem, RpcRequest, ToWorker, WORKER_VARIABLE } from './messages';
import { Rpc } from './rpc';

export interface MemberEvents {
  /** It has loaded, and waits for its `start`. */
  ready(member: Member): void;
  /** A staged one works, and waits for its `open`. */
  proven(member: Member): void;
  listening(member: Member): void;
  /** It serves what the generation before gives it. */
  unlistened(member: Member): void;
  /** Its mirror has compared these. */
  compared(pairs: readonly ComparedPair[]): void;
  /** Called once, whatever it died of. */
  ended(member: Member): void;
}

/** A worker has no admin port: it is not to have the key of it. */
function withoutAdminSecret(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    ...environment,
    [variableName('admin_secret')]: undefined,
    [variableName('admin_secret_file')]: undefined,
  };
}

/** One worker, as the primary sees it. */
export class Member {
  /** It was told what to do, and responds; it may not listen yet. */
  isStarted = false;
  /** By the clock; undefined until it listens. */
  listeningSinceMs: number | undefined;
  /** Where it takes connections of the generation before. */
  handover: HandoverAddress | undefined;
  lastReport: LedgerReport | undefined;
  /** What it left when it ended because another generation took over. */
  finalRecord: FinalRecord | undefined;
  /** Why it could not start, when it could say so. */
  problem: ListenProblem | undefined;
  private readonly rpc: Rpc;
  private readonly child: ChildProcess;
  private isOver = false;

  constructor(
    readonly worker: number,
    portFd: number,
    private readonly clock: Clock,
    private readonly events: MemberEvents,
  ) {
    this.rpc = new Rpc(worker, (id, prompt) => this.send({ type: 'ask', id, prompt }), clock);
    this.child = fork(process.argv[1] ?? '', [], {
      env: { ...withoutAdminSecret(process.env), [WORKER_VARIABLE]: String(worker) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', portFd],
      // Keeps what JSON loses: undefined and infinite limits.
      serialization: 'advanced',
    });
    this.child.on('message', (message: FromWorker) => this.hear(message));
    // It could not be made at all: there will be no other event.
    this.child.once('error', ({ message, code }: NodeJS.ErrnoException) => {
      this.problem ??= { message, code };
      this.end();
    });
    // What it said last may come after its exit.
    let left = 2;
    const leave = () => (left -= 1) === 0 && this.end();
    this.child.once('exit', leave);
    this.child.once('disconnect', leave);
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** It has ended, with last words. */
  get hasLeft(): boolean {
    return this.isOver && this.finalRecord !== undefined;
  }

  /** How its process ended, for a log. */
  get ending(): { readonly code: number | null; readonly signal: NodeJS.Signals | null } {
    return { code: this.child.exitCode, signal: this.child.signalCode };
  }

  /** See `Questions.ask`. */
  ask<Q extends RpcRequest>(prompt: Q): Promise<ResponseTo<Q>> {
    return this.rpc.ask(prompt);
  }

  async report(): Promise<LedgerReport> {
    const report = await this.ask({ kind: 'report' });
    this.lastReport = report;
    return report;
  }

  send(message: ToWorker): void {
    if (message.type === 'start') this.isStarted = true;
    // A worker that is gone says so by its end.
    if (this.child.connected) this.child.send(message, () => undefined);
  }

  /** At once, with its connections. */
  kill(): void {
    signalChild(this.child, 'SIGKILL');
  }

  private hear(message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        return this.events.ready(this);
      case 'proven':
        return this.events.proven(this);
      case 'finalRecord':
        this.finalRecord = message.words;
        return;
      case 'listening':
        this.handover = message.handover;
        this.listeningSinceMs = this.clock.nowMs();
        return this.events.listening(this);
      case 'canary':
        this.handover = message.handover;
        return this.events.unlistened(this);
      case 'failed':
        this.problem = message.problem;
        return;
      case 'notified':
        this.lastReport = message.report;
        return;
      case 'compared':
        return this.events.compared(message.pairs);
      case 'response':
      case 'fault':
        return this.rpc.hear(message);
    }
  }

  private end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.rpc.end();
    this.events.ended(this);
  }
}

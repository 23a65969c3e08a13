import { ChildProcess, spawn } from 'node:child_process';
import type { Reply } from '../admin/admin-server';
import type { ReceivedCall } from '../admin/signature';
import { CallFailed } from '../admin/admin-server';
import { EXIT_CODES } from '../../core/errors/exit-codes';
import { isProcess, signalChild } from '../../core/errors/signals';
import type { Clock } from '../process/clock';
import type { HandoverAddress } from '../handover/messages';
import type { OrdersInForce } from '../control/proxy';
import type { FinalRecord } from '../telemetry/final-record';
import type { ResponseTo, RpcRequest } from '../workers/messages';
import { Rpc } from '../workers/rpc';
import { GENERATION_VARIABLE, INHERITED_FDS, Inheritance, Takeover, ToElder, ToSuccessor } from './messages';

/** Longer than it waits for its own workers. */
const RESPONSE_MS = 5_000;
/** In which a new generation says why it did not prove itself. */
const MARGIN_MS = 1_000;

export interface SuccessorOptions {
  readonly number: number;
  /** Descriptors of this process for those of `INHERITED_FDS`. */
  readonly sockets: { readonly data: number; readonly admin: number | undefined };
  /** Of the first generation a pipe is made; later ones pass on what they have. */
  readonly keeper: number | 'pipe';
  readonly inheritance: Omit<Inheritance, 'proveWithinMs'>;
  /** For its proof. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** What it asks of this generation. */
  readonly respond: (prompt: RpcRequest) => Promise<unknown>;
  /** The whole proxy is to end. */
  readonly shutDown: () => void;
  /** It takes connections at other addresses than it said before. */
  readonly takes: (handover: readonly HandoverAddress[]) => void;
  /** It has ended, or its channel has. */
  readonly gone: () => void;
  /** A canary: it is to be taken back. */
  readonly stopped: () => void;
}

/**
 * `loading`: it reads the files on disk. `proving`: it shows that it can serve. `ready`: it can. `canary`: it serves what this one gives it. `serving`: it accepts. `gone`: it has ended,
 * from whichever state.
 */
export type SuccessorState = 'loading' | 'proving' | 'ready' | 'canary' | 'serving' | 'gone';

/** The next generation, as the one sees it that starts it. */
export class Successor {
  private readonly child: ChildProcess;
  private readonly startedMs: number;
  private readonly rpc: Rpc;
  private readonly calls = new Map<number, { resolve(reply: Reply): void; reject(error: Error): void }>();
  private lastId = 0;
  private state: SuccessorState = 'loading';
  /** It knows all there is to know: its end is none of this process. */
  private isLeft = false;
  private problem: string | undefined;
  private hasServed = false;
  private wasToTakeOver = false;
  /** A signal for the proxy goes to it, and not to this process any more. */
  isKnown = false;
  /** Where its processes take the connections of this one, once it serves. */
  handover: readonly HandoverAddress[] = [];
  /** What a canary left that has ended in order. */
  words: FinalRecord | undefined;
  private waiting: { readonly state: SuccessorState; resolve(): void; reject(error: Error): void } | undefined;

  constructor(private readonly options: SuccessorOptions) {
    const { number, sockets, keeper, clock } = options;
    this.startedMs = clock.nowMs();
    this.rpc = new Rpc(number, (id, prompt) => this.send({ type: 'ask', id, prompt }), clock, RESPONSE_MS);
    const stdio: (number | 'pipe' | 'ignore' | 'inherit' | 'ipc')[] = ['inherit', 'inherit', 'inherit', 'ipc'];
    stdio[INHERITED_FDS.data] = sockets.data;
    stdio[INHERITED_FDS.admin] = sockets.admin ?? 'ignore';
    stdio[INHERITED_FDS.keeper] = keeper;
    // As this one was started, from what is on disk now. In a group of its own: a terminal would send it each signal twice.
    this.child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', ...process.argv.slice(2)], {
      env: { ...process.env, [GENERATION_VARIABLE]: String(number) },
      stdio,
      detached: true,
      serialization: 'advanced',
    });
    this.child.on('message', (message: ToElder) => this.hear(message));
    this.child.on('error', (error) => {
      this.problem ??= error.message;
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

  /** The end of the pipe that `keeper` asked for. */
  get pipe(): NodeJS.ReadableStream | undefined {
    const stdio = this.child.stdio as readonly (NodeJS.ReadableStream | NodeJS.WritableStream | null | undefined)[];
    return (stdio[INHERITED_FDS.keeper] ?? undefined) as NodeJS.ReadableStream | undefined;
  }

  /** Resolves when it has proved itself. @throws Error that says why it has not */
  ready(): Promise<void> {
    return this.wait('ready', this.options.timeoutMs);
  }

  /** Resolves when it serves what it is given. @throws Error that says why it does not */
  openCanary(inForce: OrdersInForce, timeoutMs: number): Promise<void> {
    const serving = this.wait('canary', timeoutMs);
    this.send({ type: 'canary', inForce });
    return serving;
  }

  /** A canary. @param handover where its connections come back to */
  takeBack(handover: readonly HandoverAddress[]): void {
    this.send({ type: 'takeBack', handover });
  }

  /** It lets its connections end: as a canary, as this one does; or as the whole proxy, when it serves. */
  shutDown(): void {
    this.send({ type: 'shutDown' });
  }

  /** Resolves when it accepts. @throws Error that says why it does not */
  takeOver(takeover: Takeover, timeoutMs: number): Promise<void> {
    this.wasToTakeOver = true;
    const serving = this.wait('serving', timeoutMs);
    this.send({ type: 'takeOver', takeover });
    return serving;
  }

  /** A call to the admin API that this process has received. */
  call(call: ReceivedCall): Promise<Reply> {
    const id = (this.lastId += 1);
    return new Promise((resolve, reject) => {
      if (this.state === 'gone') return reject(goneAway());
      this.calls.set(id, { resolve, reject });
      this.send({ type: 'call', id, call });
    });
  }

  ask<Q extends RpcRequest>(prompt: Q): Promise<ResponseTo<Q>> {
    return this.rpc.ask(prompt);
  }

  /** Resolves when it has left. */
  leave(words: FinalRecord): Promise<void> {
    this.isLeft = true;
    return new Promise((resolve) => {
      if (!this.child.connected) return resolve();
      this.child.send({ type: 'finalRecord', words } satisfies ToSuccessor, () => resolve());
    });
  }

  /** At once. The workers of one that was to take over drain what they may have accepted. */
  kill(): void {
    if (this.wasToTakeOver) signalChild(this.child, 'SIGKILL');
    else this.killAll();
  }

  /** With its workers, and their connections: orders do not reach them without it. They are a group of processes. */
  killAll(): void {
    const { pid } = this.child;
    if (!isProcess(pid)) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // None of them is left.
    }
  }

  /** This process ends, and does not wait for it. */
  disown(): void {
    if (this.child.connected) this.child.disconnect();
    this.child.unref();
  }

  private wait(state: SuccessorState, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.state === 'gone') return reject(new Error(this.why()));
      const cancel = this.options.clock.after(timeoutMs, () => {
        const so = state === 'ready' ? 'prove itself' : 'serve';
        this.waiting = undefined;
        reject(new Error(`it must ${so} within ${timeoutMs / 1000} s, got nothing: it was ended`));
      });
      const settle = (by: () => void) => {
        cancel();
        this.waiting = undefined;
        by();
      };
      this.waiting = {
        state,
        resolve: () => settle(resolve),
        reject: (error) => settle(() => reject(error)),
      };
    });
  }

  private hear(message: ToElder): void {
    switch (message.type) {
      case 'loaded':
        this.state = 'proving';
        return this.sendInheritance();
      case 'failed':
        this.problem = message.problem;
        return;
      case 'canary':
      case 'serving':
        this.handover = message.handover;
        return this.reach(message.type);
      case 'handover':
        this.handover = message.handover;
        return this.options.takes(message.handover);
      case 'ready':
        return this.reach(message.type);
      case 'reply':
        return this.settleCall(message);
      case 'ask':
        return this.respond(message.id, message.prompt);
      case 'response':
      case 'fault':
        return this.rpc.hear(message);
      case 'finalRecord':
        this.words = message.words;
        return;
      case 'shutDown':
      case 'known':
      case 'stopped':
        return this.hearOfSignals(message.type);
    }
  }

  private settleCall({ id, reply }: Extract<ToElder, { type: 'reply' }>): void {
    this.calls.get(id)?.resolve(reply);
    this.calls.delete(id);
  }

  private hearOfSignals(what: 'shutDown' | 'known' | 'stopped'): void {
    if (what === 'shutDown') this.options.shutDown();
    else if (what === 'stopped') this.options.stopped();
    else behindSignals(() => (this.isKnown = true));
  }

  /** The time that is left, and not until when: the clock of the machine may be set meanwhile. */
  private sendInheritance(): void {
    const { inheritance, timeoutMs, clock } = this.options;
    const leftMs = this.startedMs + timeoutMs - clock.nowMs();
    const proveWithinMs = leftMs - Math.min(MARGIN_MS, timeoutMs / 4);
    this.send({ type: 'inheritance', inheritance: { ...inheritance, proveWithinMs } });
  }

  private reach(state: 'ready' | 'canary' | 'serving'): void {
    this.state = state;
    if (state !== 'ready') this.hasServed = true;
    if (this.waiting?.state === state) this.waiting.resolve();
  }

  private respond(id: number, prompt: RpcRequest): void {
    this.options.respond(prompt).then(
      (value) => this.send({ type: 'response', id, value: value as ResponseTo<RpcRequest> }),
      (error: unknown) => this.send({ type: 'fault', id, message: String(error) }),
    );
  }

  private send(message: ToSuccessor): void {
    // One that is gone says so by its end.
    if (this.child.connected) this.child.send(message, () => undefined);
  }

  private end(): void {
    if (this.state === 'gone') return;
    this.state = 'gone';
    this.rpc.end();
    this.waiting?.reject(new Error(this.why()));
    for (const { reject } of this.calls.values()) reject(goneAway());
    this.calls.clear();
    if (!this.isLeft) this.options.gone();
  }

  /** Whether it has ended as it should. */
  get isInOrder(): boolean {
    return this.child.exitCode === EXIT_CODES.done.code;
  }

  /** Why it has ended. */
  why(): string {
    const { exitCode, signalCode } = this.child;
    if (this.problem !== undefined) return this.problem;
    return `it ended${this.hasServed ? '' : ' as it started'}, with ${signalCode ?? `exit code ${exitCode ?? 'unknown'}`}`;
  }
}

/**
 * Behind every signal that was sent by now: a process that stood still reads what came to its sockets first, and its signals after that,
 * in this turn of its loop or in the next.
 */
function behindSignals(act: () => void): void {
  setImmediate(() => setImmediate(act));
}

function goneAway(): CallFailed {
  return new CallFailed('The generation that serves has ended');
}

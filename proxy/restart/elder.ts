import { CallFailed } from '../admin/admin-server';
import type { LedgerReport } from '../../core/proxy/admin-api';
import type { Clock } from '../process/clock';
import type { HandoverAddress } from '../handover/messages';
import type { OrdersInForce } from '../control/proxy';
import type { FinalRecord } from '../telemetry/final-record';
import type { ResponseTo, RpcRequest } from '../workers/messages';
import { Rpc, WorkerGone, WorkerLate } from '../workers/rpc';
import { GENERATION_VARIABLE, Inheritance, Takeover, ToElder, ToSuccessor } from './messages';

/** Longer than an elder waits for its own workers. */
const RESPONSE_MS = 3_000;

export interface ElderEvents {
  /** It asks as the generation that serves is asked. */
  respond(prompt: RpcRequest): Promise<unknown>;
  call(message: Extract<ToSuccessor, { type: 'call' }>): Promise<Extract<ToElder, { type: 'reply' }>['reply']>;
  /** It has ended; with last words in order. */
  ended(words: FinalRecord | undefined): void;
  /** The whole proxy is to end: its signal came to the elder. */
  shutDown(): void;
}

/** What a canary does: it has proved itself, and the elder is in charge. */
export interface CanaryEvents {
  /** @returns where it takes connections of the elder */
  begin(inForce: OrdersInForce): Promise<readonly HandoverAddress[]>;
  respond(prompt: RpcRequest): Promise<unknown>;
  /** Gives its connections back to these, and resolves when all have ended. */
  takeBack(handover: readonly HandoverAddress[]): Promise<FinalRecord>;
  /** Lets its connections end. */
  shutDown(): Promise<void>;
  /** It has nothing more to do. */
  over(isInOrder: boolean): void;
}

/** The generation before this one, as this one sees it: the process that started it. */
export class Elder {
  lastReport: LedgerReport | undefined;
  /** Resolves with what this one inherits. */
  readonly inheritance: Promise<Inheritance>;
  private readonly rpc: Rpc;
  private events: ElderEvents | undefined;
  private inherit: (inheritance: Inheritance) => void = () => undefined;
  private tellTakeover: (takeover: Takeover | undefined) => void = () => undefined;
  private words: FinalRecord | undefined;
  private canary: CanaryEvents | undefined;
  /** As a canary it was told to end. */
  private isTakenBack = false;
  private isCanary = false;
  private hasTakenOver = false;
  isGone = false;

  constructor(clock: Clock) {
    const number = Number(process.env[GENERATION_VARIABLE]) - 1;
    this.rpc = new Rpc(number, (id, prompt) => this.send({ type: 'ask', id, prompt }), clock, RESPONSE_MS);
    this.inheritance = new Promise((resolve) => (this.inherit = resolve));
    process.on('message', (message: ToSuccessor) => this.hear(message));
    process.on('disconnect', () => this.end());
  }

  /** The generation before, of a process that one has started. */
  static find(clock: Clock): Elder | undefined {
    if (process.send === undefined || process.env[GENERATION_VARIABLE] === undefined) return undefined;
    return new Elder(clock);
  }

  loaded(): void {
    this.send({ type: 'loaded' });
  }

  /** Resolves when it has been said. */
  failed(problem: string): Promise<void> {
    return this.say({ type: 'failed', problem });
  }

  private say(message: ToElder): Promise<void> {
    return new Promise((resolve) => {
      if (!process.connected) return resolve();
      process.send?.(message, undefined, undefined, () => resolve());
    });
  }

  /**
   * Says that this one has proved itself. It may be a canary first.
   *
   * @returns what it takes over; undefined when the elder is gone: then it takes over what is there
   */
  ready(canary: CanaryEvents): Promise<Takeover | undefined> {
    this.canary = canary;
    const takeover = new Promise<Takeover | undefined>((resolve) => {
      this.tellTakeover = (taken) => {
        this.hasTakenOver = true;
        resolve(taken);
      };
    });
    if (this.isGone) this.tellTakeover(undefined);
    this.send({ type: 'ready' });
    return takeover;
  }

  /**
   * What a signal does to this process before it takes over: it ends, and the elder goes on. A canary asks to be taken back. When it was
   * told to take over it is the proxy.
   *
   * @returns rejects when it is to end
   */
  untilStopped(stopped: AbortSignal): Promise<never> {
    return new Promise((_, reject) => {
      const stop = () => {
        if (this.hasTakenOver) return;
        if (this.isCanary) this.send({ type: 'stopped' });
        else reject(new Error('it was told to end before it took over'));
      };
      if (stopped.aborted) stop();
      else stopped.addEventListener('abort', stop);
    });
  }

  /** Who signals the proxy knows of this process. */
  known(): void {
    this.send({ type: 'known' });
  }

  /** @param handover where its processes take connections of the elder */
  serving(events: ElderEvents, handover: readonly HandoverAddress[]): void {
    this.events = events;
    this.send({ type: 'serving', handover });
    if (this.isGone) events.ended(this.words);
  }

  tellHandover(handover: readonly HandoverAddress[]): void {
    this.send({ type: 'handover', handover });
  }

  /** @throws CallFailed when it does not respond in time; WorkerGone when it has ended */
  async ask<Q extends RpcRequest>(prompt: Q): Promise<ResponseTo<Q>> {
    try {
      return await this.rpc.ask(prompt);
    } catch (error) {
      if (!(error instanceof WorkerLate)) throw error;
      throw new CallFailed(`the generation before this one did not respond within ${RESPONSE_MS / 1000} s`, 504);
    }
  }

  /** @returns undefined when it has ended meanwhile */
  async report(): Promise<LedgerReport | undefined> {
    try {
      this.lastReport = await this.ask({ kind: 'report' });
      return this.lastReport;
    } catch (error) {
      if (error instanceof WorkerGone) return undefined;
      throw error;
    }
  }

  shutDown(): void {
    this.send({ type: 'shutDown' });
  }

  private hear(message: ToSuccessor): void {
    switch (message.type) {
      case 'inheritance':
        return this.inherit(message.inheritance);
      case 'takeOver':
        return this.tellTakeover(message.takeover);
      case 'canary':
        this.isCanary = true;
        return void this.beginCanary(message.inForce);
      case 'takeBack':
        return void this.endCanary((canary) => canary.takeBack(message.handover));
      case 'shutDown':
        if (this.events) return this.events.shutDown();
        return void this.endCanary((canary) => canary.shutDown());
      case 'call':
        return void this.receive(message);
      case 'ask':
        return this.respond(message.id, message.prompt);
      case 'response':
      case 'fault':
        return this.rpc.hear(message);
      case 'finalRecord':
        this.words = message.words;
        return this.end();
    }
  }

  private async receive(message: Extract<ToSuccessor, { type: 'call' }>): Promise<void> {
    const failed = { status: 500, contentType: 'text/plain; charset=utf-8', body: 'The call failed\n' };
    const reply = await this.events?.call(message).catch(() => failed);
    this.send({ type: 'reply', id: message.id, reply: reply ?? failed });
  }

  private async beginCanary(inForce: OrdersInForce): Promise<void> {
    try {
      this.send({ type: 'canary', handover: (await this.canary?.begin(inForce)) ?? [] });
    } catch (error) {
      // Its workers say more by their end.
      await this.failed((error as Error).message);
      this.canary?.over(false);
    }
  }

  private async endCanary(how: (canary: CanaryEvents) => Promise<FinalRecord | void>): Promise<void> {
    const { canary } = this;
    if (canary === undefined || this.isTakenBack) return;
    this.isTakenBack = true;
    try {
      const words = await how(canary);
      if (words) await this.say({ type: 'finalRecord', words });
      canary.over(true);
    } catch (error) {
      await this.failed((error as Error).message);
      canary.over(false);
    }
  }

  private respond(id: number, prompt: RpcRequest): void {
    const responds = (this.events ?? this.canary)?.respond(prompt) ?? Promise.reject(new Error('It does not serve'));
    responds.then(
      (value) => this.send({ type: 'response', id, value: value as ResponseTo<RpcRequest> }),
      (error: unknown) => this.send({ type: 'fault', id, message: String(error) }),
    );
  }

  private send(message: ToElder): void {
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  }

  private end(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.rpc.end();
    // A canary that ends takes over nothing.
    if (!this.isTakenBack) this.tellTakeover(undefined);
    this.events?.ended(this.words);
    if (process.connected) process.disconnect();
  }
}

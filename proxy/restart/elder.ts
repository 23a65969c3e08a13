import { CallFailed } from '../admin/admin-server';
import type { LedgerReport } from '../../core/proxy/admin-api';
import type { Clock } from '../process/clock';
import type { HandoverAddress } from '../handover/messages';
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
    return new Promise((resolve) => {
      if (!process.connected) return resolve();
      process.send?.({ type: 'failed', problem } satisfies ToElder, undefined, undefined, () => resolve());
    });
  }

  /**
   * Says that this one has proved itself.
   *
   * @returns what it takes over; undefined when the elder is gone: then it takes over what is there
   */
  ready(): Promise<Takeover | undefined> {
    const takeover = new Promise<Takeover | undefined>((resolve) => (this.tellTakeover = resolve));
    if (this.isGone) this.tellTakeover(undefined);
    this.send({ type: 'ready' });
    return takeover;
  }

  /** @param handover where its processes take connections of the elder */
  serving(events: ElderEvents, handover: readonly HandoverAddress[]): void {
    this.events = events;
    this.send({ type: 'serving', handover });
    if (this.isGone) events.ended(this.words);
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

  private respond(id: number, prompt: RpcRequest): void {
    const responds = this.events?.respond(prompt) ?? Promise.reject(new Error('It does not serve'));
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
    this.tellTakeover(undefined);
    this.events?.ended(this.words);
    if (process.connected) process.disconnect();
  }
}

import { Mismatch, findMismatch } from '../../../core/scenario/content';
import type { WatchedStream } from '../../../core/scenario/scenario';
import { fillText } from '../../../core/scenario/variables';
import { machineTime } from '../../processes/machine-time';
import { findSide } from '../clients/http-checker';
import { rejectedForMs } from '../clients/reconnect';
import type { SeenOn } from '../counting/entries';
import { EventParser, StreamEvent } from '../transport/event-parser';
import type { AskForStream } from '../transport/stream-request';
import type { HttpResponse } from '../transport/transport';
import { buildHeaders, encodeSpaces } from './build-request';
import { LongLivedClient, LongLivedSetup, asksToLogIn } from './long-lived';

type Ended =
  | { readonly how: 'endedCleanly' }
  | { readonly how: 'refused'; readonly forMs: number }
  | { readonly how: 'silent' | 'dropped'; readonly mismatch: Mismatch; readonly status?: number };

const isEventStream = (type: string) => type.split(';')[0]?.trim().toLowerCase() === 'text/event-stream';

/** An EventSource of a scenario: reads, and connects again after each end with the id of the last event. */
export class EventReader extends LongLivedClient {
  private call: ReturnType<AskForStream> | undefined;
  private side: SeenOn = 'noSide';
  private lastId = '';
  private lastEventMs: number | undefined;
  private cameMs = 0;
  /** Of the connection. */
  private isOpen = false;
  private isDone = false;

  constructor(
    private readonly ask: AskForStream,
    private readonly spec: WatchedStream,
    setup: LongLivedSetup,
  ) {
    super(setup);
  }

  async live(): Promise<void> {
    this.cameMs = performance.now();
    while (!this.isDone) {
      if (!(await this.begin())) {
        await this.pause(this.backOff.pauseMs());
        continue;
      }
      const ended = await this.stream();
      if (this.isOpen) this.setup.recorder.live.serverSentEvents -= 1;
      this.isOpen = false;
      if (this.isDone) return;
      this.judge(ended);
      await this.pause(Math.max(ended.how === 'refused' ? ended.forMs : 0, this.backOff.pauseMs()));
    }
  }

  /** Waits for one more event, then leaves. One that is rare is waited for as long as a stream may be silent. */
  finish(withinMs: number): void {
    this.startFinishing();
    machineTime.limit(withinMs, () => this.giveUp());
  }

  private stream(): Promise<Ended> {
    const { visit } = this.setup;
    this.side = 'noSide';
    return new Promise((resolve) => {
      const maxMs = this.spec.maxSilenceSeconds * 1000;
      const parser = new EventParser();
      const silent = machineTime.limit(maxMs, () => {
        over({ how: 'silent', mismatch: { expected: `an event in ${maxMs / 1000} s`, got: 'none' } });
        call.destroy();
      });
      const over = (ended: Ended) => {
        silent.clear();
        resolve(ended);
      };
      const dropped = (got: string) =>
        over({ how: 'dropped', mismatch: { expected: 'an event stream that ends after an event', got } });
      const path = encodeSpaces(fillText(this.spec.path, visit.variables));
      const headers = {
        accept: 'text/event-stream',
        ...(this.lastId !== '' && { 'last-event-id': this.lastId }),
        ...buildHeaders(this.spec.headers, visit.variables),
        ...visit.jar.header(path, Date.now()),
      };
      const seeSession = this.carrySession(path, this.spec.headers);
      const call = this.ask(
        { path, headers },
        {
          responded: (head) => {
            this.takeCookies(head, path);
            seeSession();
            this.open(head, over);
          },
          received: (chunk) => {
            if (!this.isOpen) return;
            for (const event of parser.take(chunk)) {
              silent.refresh();
              this.check(event);
            }
          },
          ended: () => (parser.endsInside() ? dropped('an end inside of one') : over({ how: 'endedCleanly' })),
          failed: ({ message }) => dropped(message),
        },
      );
      this.call = call;
    });
  }

  private takeCookies(head: Pick<HttpResponse, 'status' | 'headers'>, path: string): void {
    this.side = findSide(head) ?? 'noSide';
    this.setup.visit.jar.take(head.headers['set-cookie'], path, Date.now(), findSide(head));
  }

  private open(head: Pick<HttpResponse, 'status' | 'headers'>, over: (ended: Ended) => void): void {
    const { recorder } = this.setup;
    const { status, headers } = head;
    const type = String(headers['content-type'] ?? '');
    if (status === 200 && isEventStream(type)) {
      this.isOpen = true;
      recorder.serverSentEvents.opened += 1;
      recorder.live.serverSentEvents += 1;
      return;
    }
    const forMs = rejectedForMs(head);
    const mismatch = { expected: '200 text/event-stream', got: `${status} ${type}`.trim() };
    over(forMs === undefined ? { how: 'dropped', mismatch, status } : { how: 'refused', forMs });
    this.call?.destroy();
  }

  private check({ id, data }: StreamEvent): void {
    const { serverSentEvents } = this.setup.recorder;
    serverSentEvents.events += 1;
    if (this.lastEventMs !== undefined) this.setup.recorder.gap('serverSentEvents', this.lastEventMs);
    this.lastEventMs = performance.now();
    const mismatch = this.compareId(id) ?? findMismatch(this.spec.expect, data, this.setup.visit.variables);
    this.lastId = id;
    if (mismatch) {
      serverSentEvents.lost += 1;
      this.wrong(this.side, mismatch);
      this.logInAgain();
    } else this.right(this.side);
    if (this.isFinishing && !this.isDone) this.leave();
  }

  private compareId(id: string): Mismatch | undefined {
    if (!this.spec.hasConsecutiveIds || this.lastId === '') return undefined;
    const expected = Number(this.lastId) + 1;
    return Number(id) === expected
      ? undefined
      : { expected: 'an id that is one more', got: `${Number(id) - expected + 1} more` };
  }

  private judge(ended: Ended): void {
    const { serverSentEvents } = this.setup.recorder;
    if (ended.how === 'endedCleanly' || ended.how === 'refused') {
      serverSentEvents[ended.how] += 1;
      if (ended.how === 'endedCleanly') serverSentEvents.endedByServer += 1;
      this.backOff.endInOrder();
      return;
    }
    this.drop(ended.mismatch);
    if (ended.status !== undefined && asksToLogIn(ended.status)) this.logInAgain();
  }

  private drop(mismatch: Mismatch): void {
    if (this.failed(this.side, mismatch)) this.setup.recorder.serverSentEvents.dropped += 1;
  }

  private giveUp(): void {
    if (this.isDone) return;
    const silentMs = performance.now() - (this.lastEventMs ?? this.cameMs);
    // Of a stream that may be silent for longer nothing is missing yet.
    const isMissing = !this.isOpen || silentMs > this.spec.maxSilenceSeconds * 1000;
    // Who was rejected until now is counted already.
    if (isMissing && !this.backOff.hasFailed) this.drop(this.findMissing());
    this.leave();
  }

  /** A stream that is there and says nothing is another fault than one that never came. */
  private findMissing(): Mismatch {
    return this.isOpen
      ? { expected: `an event in ${this.spec.maxSilenceSeconds} s`, got: 'none' }
      : { expected: 'an event stream at the end', got: 'none' };
  }

  private leave(): void {
    this.isDone = true;
    if (this.isOpen) this.setup.recorder.serverSentEvents.endedCleanly += 1;
    this.call?.destroy();
  }
}

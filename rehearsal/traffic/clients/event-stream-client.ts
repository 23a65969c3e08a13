import { setTimeout as delay } from 'node:timers/promises';
import { CookieJar } from './cookie-jar';
import { EventParser, StreamEvent } from '../transport/event-parser';
import { Recorder } from '../counting/recorder';
import { BackOff, rejectedForMs } from './reconnect';
import { machineTime } from '../../processes/machine-time';
import type { AskForStream } from '../transport/stream-request';
import type { HttpResponse } from '../transport/transport';

const PATH = '/clock';

const HEAD_MS = 15_000;

type Ended = { how: 'endedCleanly' } | { how: 'refused'; forMs: number } | { how: 'dropped'; why: string };

/** One reader of the clock, with the cookies of a browser: ids go up by one, over all streams and both sides. */
export class EventStreamClient {
  private readonly jar = new CookieJar();
  private call: ReturnType<AskForStream> | undefined;
  private isOpen = false;
  private lastId = 0;
  private lastEventMs: number | undefined;
  private isFinishing = false;
  private isDone = false;
  private readonly backOff = new BackOff();
  private wake: () => void = () => undefined;

  constructor(
    private readonly ask: AskForStream,
    private readonly name: string,
    private readonly recorder: Recorder,
  ) {}

  /** Reads, and connects again after each end; resolves when it has finished. */
  async live(): Promise<void> {
    while (!this.isDone) {
      this.backOff.begin();
      const ended = await this.stream();
      if (this.isOpen) this.recorder.live.serverSentEvents -= 1;
      this.isOpen = false;
      if (this.isDone) return;
      this.judge(ended);
      await this.pause(Math.max(ended.how === 'refused' ? ended.forMs : 0, this.backOff.pauseMs()));
    }
  }

  /** Waits for one more event, as proof that the stream was alive to the end, then leaves. `live` resolves at its end. */
  finish(withinMs: number): void {
    this.isFinishing = true;
    machineTime.limit(withinMs, () => this.giveUp(withinMs));
    this.backOff.hurry();
    this.wake();
  }

  /** Shorter, when it is told to finish meanwhile. */
  private pause(ms: number): Promise<unknown> {
    const woken = new Promise<void>((resolve) => (this.wake = resolve));
    return Promise.race([delay(ms), woken]);
  }

  private stream(): Promise<Ended> {
    return new Promise((resolve) => {
      const path = `${PATH}?client=${encodeURIComponent(this.name)}`;
      const headers = {
        accept: 'text/event-stream',
        'last-event-id': String(this.lastId),
        ...this.jar.header(PATH, Date.now()),
      };
      const parser = new EventParser();
      const limit = machineTime.limit(HEAD_MS, () => call.destroy(new Error(`no response in ${HEAD_MS} ms`)));
      const over = (ended: Ended) => {
        limit.clear();
        resolve(ended);
      };
      const call = this.ask(
        { path, headers },
        {
          responded: (head) => {
            limit.clear();
            this.begin(head, over);
          },
          received: (chunk) => this.isOpen && parser.take(chunk).forEach((event) => this.check(event)),
          ended: () =>
            over(parser.endsInside() ? { how: 'dropped', why: 'one inside an event' } : { how: 'endedCleanly' }),
          failed: ({ message }) => over({ how: 'dropped', why: message }),
        },
      );
      this.call = call;
    });
  }

  private begin({ status, headers }: Pick<HttpResponse, 'status' | 'headers'>, over: (ended: Ended) => void): void {
    this.jar.take(headers['set-cookie'], PATH, Date.now());
    const forMs = rejectedForMs({ status, headers });
    if (status !== 200 || headers['content-type'] !== 'text/event-stream') {
      const why = `${status} ${String(headers['content-type'] ?? '')}`.trim();
      over(forMs === undefined ? { how: 'dropped', why } : { how: 'refused', forMs });
      return void this.call?.destroy();
    }
    this.isOpen = true;
    this.recorder.serverSentEvents.opened += 1;
    this.recorder.live.serverSentEvents += 1;
  }

  private check({ id, data }: StreamEvent): void {
    const { serverSentEvents } = this.recorder;
    serverSentEvents.events += 1;
    this.backOff.served();
    if (this.lastEventMs !== undefined) this.recorder.gap('serverSentEvents', this.lastEventMs);
    this.lastEventMs = performance.now();
    const expected = this.lastId + 1;
    const got = Number(id);
    if (got !== expected || data !== id) {
      this.recorder.note(this.name, `expected event ${expected}, got id '${id}' with data '${data}'`);
      if (got > expected) serverSentEvents.lost += got - expected;
      else serverSentEvents.duplicated += 1;
    }
    if (got > this.lastId) this.lastId = got;
    if (this.isFinishing && !this.isDone) this.leave();
  }

  private judge(ended: Ended): void {
    if (ended.how === 'dropped') return this.drop(`expected a stream with an end, got ${ended.why}`);
    this.recorder.serverSentEvents[ended.how] += 1;
    if (ended.how === 'endedCleanly') this.recorder.serverSentEvents.endedByServer += 1;
    this.backOff.endInOrder();
  }

  /** A client that is rejected again and again for one reason has lost one stream. */
  private drop(why: string): void {
    if (!this.backOff.fail(why)) return;
    this.recorder.serverSentEvents.dropped += 1;
    this.recorder.note(this.name, why);
  }

  private giveUp(afterMs: number): void {
    if (this.isDone) return;
    const { serverSentEvents } = this.recorder;
    if (this.lastEventMs !== undefined) this.recorder.gap('serverSentEvents', this.lastEventMs);
    if (this.isOpen) {
      serverSentEvents.lost += 1;
      this.recorder.note(this.name, `expected event ${this.lastId + 1}, got none in ${afterMs} ms`);
    } else if (!this.backOff.hasFailed) {
      // Who was rejected until now is counted already.
      this.drop(`expected a stream at the end, got none in ${afterMs} ms`);
    }
    this.leave();
  }

  private leave(): void {
    this.isDone = true;
    if (this.isOpen) this.recorder.serverSentEvents.endedCleanly += 1;
    this.call?.destroy();
  }
}

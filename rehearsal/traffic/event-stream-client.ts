import { ClientRequest, IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { CookieJar } from './cookie-jar';
import { EventParser, StreamEvent } from './event-parser';
import { Endpoint } from './options';
import { Recorder } from './recorder';
import { reconnectMs, refusedForMs } from './reconnect';

const HEAD_MS = 15_000;

type Ended = { how: 'endedCleanly' } | { how: 'refused'; forMs: number } | { how: 'dropped'; why: string };

/** One reader of the clock, with the cookies of a browser: ids go up by one, over all streams and both sides. */
export class EventStreamClient {
  private readonly jar = new CookieJar();
  private call: ClientRequest | undefined;
  private isOpen = false;
  private lastId = 0;
  private lastEventMs: number | undefined;
  private isFinishing = false;
  private isDone = false;

  constructor(
    private readonly endpoint: Endpoint,
    private readonly agent: Agent,
    private readonly name: string,
    private readonly recorder: Recorder,
  ) {}

  /** Reads, and connects again after each end; resolves when it has finished. */
  async live(): Promise<void> {
    while (!this.isDone) {
      const ended = await this.stream();
      this.isOpen = false;
      if (this.isDone) return;
      this.judge(ended);
      await delay(ended.how === 'refused' ? ended.forMs : reconnectMs());
    }
  }

  /** Waits for one more event, as proof that the stream was alive to the end, then leaves. `live` resolves at its end. */
  finish(withinMs: number): void {
    this.isFinishing = true;
    setTimeout(() => this.giveUp(withinMs), withinMs).unref();
  }

  private stream(): Promise<Ended> {
    return new Promise((resolve) => {
      const { host, port, ca, serverName, authority } = this.endpoint;
      const call = httpsRequest({
        agent: this.agent,
        host,
        port,
        ca,
        servername: serverName,
        path: `/clock?client=${encodeURIComponent(this.name)}`,
        headers: {
          host: authority,
          accept: 'text/event-stream',
          'last-event-id': String(this.lastId),
          ...this.jar.header(Date.now()),
        },
      });
      this.call = call;
      const timer = setTimeout(() => call.destroy(new Error(`no answer in ${HEAD_MS} ms`)), HEAD_MS);
      call.on('close', () => clearTimeout(timer));
      call.on('error', (error) => resolve({ how: 'dropped', why: error.message }));
      call.on('response', (response) => {
        clearTimeout(timer);
        this.read(response, resolve);
      });
      call.end();
    });
  }

  private read(response: IncomingMessage, resolve: (ended: Ended) => void): void {
    this.jar.take(response.headers['set-cookie'], Date.now());
    const forMs = refusedForMs(response);
    const isStream = response.statusCode === 200 && response.headers['content-type'] === 'text/event-stream';
    if (!isStream) {
      this.call?.destroy();
      const why = `${response.statusCode} ${response.headers['content-type'] ?? ''}`.trim();
      return resolve(forMs === undefined ? { how: 'dropped', why } : { how: 'refused', forMs });
    }
    this.isOpen = true;
    this.recorder.serverSentEvents.opened += 1;
    this.recorder.live.serverSentEvents += 1;
    const parser = new EventParser();
    response.on('data', (chunk: Buffer) => parser.take(chunk).forEach((event) => this.check(event)));
    response.on('error', (error) => resolve({ how: 'dropped', why: error.message }));
    response.on('end', () =>
      resolve(parser.endsInside() ? { how: 'dropped', why: 'one inside an event' } : { how: 'endedCleanly' }),
    );
    response.on('close', () => (this.recorder.live.serverSentEvents -= 1));
  }

  private check({ id, data }: StreamEvent): void {
    const { serverSentEvents } = this.recorder;
    serverSentEvents.events += 1;
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
    this.recorder.serverSentEvents[ended.how] += 1;
    if (ended.how === 'dropped') this.recorder.note(this.name, `expected a stream with an end, got ${ended.why}`);
  }

  private giveUp(afterMs: number): void {
    if (this.isDone) return;
    const { serverSentEvents } = this.recorder;
    if (this.lastEventMs !== undefined) this.recorder.gap('serverSentEvents', this.lastEventMs);
    if (this.isOpen) serverSentEvents.lost += 1;
    else serverSentEvents.dropped += 1;
    const missing = this.isOpen ? `event ${this.lastId + 1}` : 'a stream at the end';
    this.recorder.note(this.name, `expected ${missing}, got none in ${afterMs} ms`);
    this.leave();
  }

  private leave(): void {
    this.isDone = true;
    if (this.isOpen) this.recorder.serverSentEvents.endedCleanly += 1;
    this.call?.destroy();
  }
}

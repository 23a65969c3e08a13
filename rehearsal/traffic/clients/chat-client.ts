import { setTimeout as delay } from 'node:timers/promises';
import { ResponsePart, DONE } from '../../backend/chat';
import { CookieJar } from './cookie-jar';
import { EventParser } from '../transport/event-parser';
import { Recorder } from '../counting/recorder';
import { BackOff, rejectedForMs } from './reconnect';
import { machineTime } from '../../processes/machine-time';
import type { AskForStream } from '../transport/stream-request';
import type { HttpResponse } from '../transport/transport';

const PATH = '/chat';

/** Between two bytes of a response, and before the first. */
const SILENT_MS = 15_000;
const JSON_BODY = { 'content-type': 'application/json' };

type Ended =
  | { readonly how: 'whole' }
  | { readonly how: 'refused'; readonly forMs: number }
  | { readonly how: 'cut' | 'truncated' | 'wrong'; readonly why: string };

/**
 * A user of a language model: one question after the other, each a POST whose response is a stream of events with
 * an end of its own. A response that is cut cannot be resumed, and is not asked for again. One that ends in order before its
 * own last event is worse: nothing but that event says that it is not whole.
 */
export class ChatClient {
  private readonly jar = new CookieJar();
  private call: ReturnType<AskForStream> | undefined;
  private asked = 0;
  private isFinishing = false;
  private readonly backOff = new BackOff();
  private leave: () => void = () => undefined;
  private readonly left = new Promise<void>((resolve) => (this.leave = resolve));

  constructor(
    private readonly ask: AskForStream,
    private readonly name: string,
    private readonly recorder: Recorder,
  ) {}

  /** Asks one question after the other; resolves when the last one gets a response. */
  async live(): Promise<void> {
    while (!this.isFinishing) {
      this.backOff.begin();
      const ended = await this.prompt();
      this.judge(ended);
      const pauseMs = Math.max(ended.how === 'refused' ? ended.forMs : 0, this.backOff.pauseMs());
      await Promise.race([delay(pauseMs), this.left]);
    }
  }

  /** Asks nothing more. A response that is under way may take so long. */
  finish(withinMs: number): void {
    this.isFinishing = true;
    this.leave();
    machineTime.limit(withinMs, () => this.call?.destroy(new Error(`no end in ${withinMs} ms`)));
  }

  private prompt(): Promise<Ended> {
    this.asked += 1;
    const prompt = `${this.name}-${this.asked}`;
    this.recorder.streaming.asked += 1;
    return new Promise((resolve) => {
      const response = new Response(prompt, this.recorder);
      const limit = machineTime.limit(SILENT_MS, () => call.destroy(new Error(`nothing in ${SILENT_MS} ms`)));
      const over = (ended: Ended) => {
        limit.clear();
        this.call = undefined;
        resolve(ended);
      };
      const headers = { accept: 'text/event-stream', ...JSON_BODY, ...this.jar.header(PATH, Date.now()) };
      const call = this.ask(
        { method: 'POST', path: PATH, headers, body: prompt },
        {
          responded: (head) => {
            limit.refresh();
            this.jar.take(head.headers['set-cookie'], PATH, Date.now());
            const rejection = findRejection(head);
            if (!rejection) return;
            over(rejection);
            call.destroy();
          },
          received: (chunk) => {
            limit.refresh();
            response.take(chunk);
          },
          ended: () => over(response.end()),
          failed: ({ message }) => over({ how: 'cut', why: `${response.describe()}, then ${message}` }),
        },
      );
      this.call = call;
    });
  }

  private judge(ended: Ended): void {
    const { streaming } = this.recorder;
    streaming[ended.how] += 1;
    if (ended.how === 'whole') this.backOff.served();
    // A client that was rejected asks again, and that is another question.
    if (ended.how === 'refused') streaming.asked -= 1;
    if (ended.how === 'whole' || ended.how === 'refused') return void this.backOff.endInOrder();
    this.backOff.fail(ended.why);
    this.recorder.note(this.name, `expected a whole response, got ${ended.why}`);
  }
}

function findRejection({ status, headers }: Pick<HttpResponse, 'status' | 'headers'>): Ended | undefined {
  const forMs = rejectedForMs({ status, headers });
  if (forMs !== undefined) return { how: 'refused', forMs };
  if (status === 200 && headers['content-type'] === 'text/event-stream') return undefined;
  return { how: 'wrong', why: `${status} ${String(headers['content-type'] ?? '')}`.trim() };
}

/** One response, as it comes. */
class Response {
  private readonly parser = new EventParser();
  private parts = 0;
  /** As its parts say; unknown before the first. */
  private whole: number | undefined;
  private isDone = false;
  private wrong: string | undefined;
  private lastMs: number | undefined;

  constructor(
    private readonly prompt: string,
    private readonly recorder: Recorder,
  ) {}

  take(chunk: Buffer): void {
    for (const { data } of this.parser.take(chunk)) this.check(data);
  }

  end(): Ended {
    if (this.wrong !== undefined) return { how: 'wrong', why: this.wrong };
    return this.isDone ? { how: 'whole' } : { how: 'truncated', why: `${this.describe()} and an end in order` };
  }

  describe(): string {
    return `${this.parts} of ${this.whole ?? 'its'} parts`;
  }

  private check(data: string): void {
    if (this.lastMs !== undefined) this.recorder.gap('streaming', this.lastMs);
    this.lastMs = performance.now();
    this.recorder.streaming.events += 1;
    const isEnd = data === DONE && this.parts === this.whole && !this.isDone;
    if (isEnd) this.isDone = true;
    else if (this.isDone || !this.isNext(data)) this.wrong ??= `'${data}' behind ${this.describe()}`;
  }

  private isNext(data: string): boolean {
    const { part, parts, prompt } = findPart(data);
    if (part !== this.parts + 1 || prompt !== this.prompt) return false;
    this.parts = part;
    this.whole = parts;
    return true;
  }
}

function findPart(data: string): Partial<ResponsePart> {
  try {
    return JSON.parse(data) as ResponsePart;
  } catch {
    return {};
  }
}

import { StringDecoder } from 'node:string_decoder';
import { Mismatch, findMismatch } from '../../../core/scenario/content';
import type { AskedStream } from '../../../core/scenario/scenario';
import { machineTime } from '../../processes/machine-time';
import { findSide } from '../clients/http-checker';
import { rejectedForMs } from '../clients/reconnect';
import type { SeenOn } from '../counting/entries';
import { EventParser } from '../transport/event-parser';
import type { AskForStream } from '../transport/stream-request';
import type { HttpResponse } from '../transport/transport';
import { buildRequest, findMissing } from './build-request';
import { LongLivedClient, LongLivedSetup } from './long-lived';

/** Between two bytes of a response, and before the first. */
const SILENT_MS = 30_000;

type Ended =
  | { readonly how: 'whole' }
  | { readonly how: 'refused'; readonly forMs: number }
  | { readonly how: 'cut' | 'truncated' | 'wrong'; readonly mismatch: Mismatch };

/** Sends one request after the other, each on a connection of its own, and reads what streams back to its end. */
export class StreamAsker extends LongLivedClient {
  private call: ReturnType<AskForStream> | undefined;
  private side: SeenOn = 'noSide';

  constructor(
    private readonly ask: AskForStream,
    private readonly spec: AskedStream,
    setup: LongLivedSetup,
  ) {
    super(setup);
  }

  async live(): Promise<void> {
    while (!this.isFinishing) {
      if (!(await this.begin())) {
        await this.pause(this.backOff.pauseMs());
        continue;
      }
      const askedMs = performance.now();
      const ended = await this.exchange();
      this.judge(ended);
      if (ended.how === 'whole') this.countTime(this.side, askedMs);
      await this.pause(this.findPause(ended));
    }
  }

  /** Asks nothing more. A response that is under way may take so long. */
  finish(withinMs: number): void {
    this.startFinishing();
    machineTime.limit(withinMs, () => this.call?.destroy(new Error(`no end in ${withinMs} ms`)));
  }

  private exchange(): Promise<Ended> {
    const { visit, recorder } = this.setup;
    const { method, expect, path, headers, body, json, form } = this.spec;
    visit.nextRound();
    recorder.streaming.asked += 1;
    this.side = 'noSide';
    const asked = { path, headers, body, json, form };
    const missing = findMissing(asked, visit.variables);
    if (missing !== undefined) {
      const mismatch = { expected: `a value of '${missing}' before it is sent`, got: 'none' };
      return Promise.resolve({ how: 'wrong', mismatch });
    }
    const built = buildRequest(asked, visit.variables);
    const seeSession = this.carrySession(built.path, headers);
    return new Promise((resolve) => {
      const parts = new Parts(() => recorder.gap('streaming', parts.lastMs));
      const limit = machineTime.limit(SILENT_MS, () => call.destroy(new Error(`nothing in ${SILENT_MS} ms`)));
      const over = (ended: Ended) => {
        limit.clear();
        this.call = undefined;
        resolve(ended);
      };
      const call = this.ask(
        { ...built, method, headers: { ...built.headers, ...visit.jar.header(built.path, Date.now()) } },
        {
          responded: (head) => {
            limit.refresh();
            const rejection = this.learn(head, built.path);
            seeSession();
            parts.begin(String(head.headers['content-type'] ?? ''));
            if (!rejection) return;
            over(rejection);
            call.destroy();
          },
          received: (chunk) => {
            limit.refresh();
            recorder.streaming.events += parts.take(chunk);
          },
          ended: () => over(judgeParts(parts, expect, visit.variables)),
          failed: ({ message }) =>
            over({
              how: 'cut',
              mismatch: { expected: 'a whole response', got: `${message} after ${parts.describe()}` },
            }),
        },
      );
      this.call = call;
    });
  }

  private findPause(ended: Ended): number {
    const pauseMs = this.spec.pauseSeconds * 1000;
    if (ended.how === 'whole') return pauseMs;
    return Math.max(ended.how === 'refused' ? ended.forMs : pauseMs, this.backOff.pauseMs());
  }

  private learn(head: Pick<HttpResponse, 'status' | 'headers'>, path: string): Ended | undefined {
    const { status } = this.spec.expect;
    this.side = findSide(head) ?? 'noSide';
    this.setup.visit.jar.take(head.headers['set-cookie'], path, Date.now(), findSide(head));
    if (head.status === status) return undefined;
    const forMs = rejectedForMs(head);
    if (forMs !== undefined) return { how: 'refused', forMs };
    return { how: 'wrong', mismatch: { expected: `${status}`, got: `${head.status}` } };
  }

  private judge(ended: Ended): void {
    const { streaming } = this.setup.recorder;
    streaming[ended.how] += 1;
    if (ended.how === 'whole' || ended.how === 'refused') {
      if (ended.how === 'whole') this.right(this.side);
      // A client that was rejected asks again, and that is another request.
      else streaming.asked -= 1;
      this.backOff.endInOrder();
      return;
    }
    this.wrong(this.side, ended.mismatch);
    if (ended.how === 'wrong') this.logInAgain();
  }
}

/** What ends in order and is not what was expected is a part that looks like the whole, or something else. */
function judgeParts(
  parts: Parts,
  { minEvents, maxEvents, last }: AskedStream['expect'],
  values: Parameters<typeof findMismatch>[2],
): Ended {
  const endsInside = parts.end();
  const got = parts.describe();
  if (endsInside)
    return { how: 'truncated', mismatch: { expected: 'an end after a whole event', got: `${got} and a part` } };
  if (parts.count < minEvents) {
    return { how: 'truncated', mismatch: { expected: `at least ${minEvents} events`, got } };
  }
  const mismatch = findMismatch(last, parts.last, values);
  if (mismatch)
    return { how: 'truncated', mismatch: { ...mismatch, expected: `${mismatch.expected} as the last event` } };
  if (parts.count > maxEvents) return { how: 'wrong', mismatch: { expected: `at most ${maxEvents} events`, got } };
  return { how: 'whole' };
}

/** The events of a response, or its lines where it is no stream of events. */
class Parts {
  count = 0;
  last = '';
  lastMs = 0;
  private readonly decoder = new StringDecoder('utf8');
  private readonly events = new EventParser();
  private form: 'events' | 'lines' = 'lines';
  private rest = '';

  /** @param another is called for each part but the first, before `lastMs` changes */
  constructor(private readonly another: () => void) {}

  begin(type: string): void {
    this.form = type.toLowerCase().startsWith('text/event-stream') ? 'events' : 'lines';
  }

  /** @returns how many parts this chunk completes */
  take(chunk: Buffer): number {
    const texts = this.form === 'events' ? this.events.take(chunk).map(({ data }) => data) : this.takeLines(chunk);
    for (const text of texts) this.add(text);
    return texts.length;
  }

  /** A last line needs no end. @returns whether it ends inside of an event */
  end(): boolean {
    if (this.form === 'events') return this.events.endsInside();
    const line = this.rest + this.decoder.end();
    if (line.trim() !== '') this.add(line);
    return false;
  }

  describe(): string {
    return `${this.count} ${this.count === 1 ? 'event' : 'events'}`;
  }

  private add(text: string): void {
    if (this.count > 0) this.another();
    this.lastMs = performance.now();
    this.count += 1;
    this.last = text;
  }

  private takeLines(chunk: Buffer): string[] {
    const lines = (this.rest + this.decoder.write(chunk)).split(/\r?\n/);
    this.rest = lines.pop() ?? '';
    return lines.filter((line) => line.trim() !== '');
  }
}

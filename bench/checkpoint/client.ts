// Requests at a fixed rate in a process of its own, each of which counts: what got a response is numbered here, too.
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

export interface CountingOrder {
  /** The data ports of proxies, each `host:port`. */
  readonly places: readonly string[];
  readonly perSecond: number;
  readonly sessions: number;
}

export interface CountingRecord {
  readonly sent: number;
  /** Responses with status 200, by session. */
  readonly counted: Readonly<Record<string, number>>;
  /** A response whose count of its session was not the one that must follow. */
  readonly wrong: readonly string[];
  readonly failed: readonly string[];
  /** Of each request: when it was due, in milliseconds since 1970, and how long its response took from then on. */
  readonly waits: readonly (readonly [dueAtMs: number, ms: number])[];
}

const GIVEN_UP_MS = 30_000;

const { places, perSecond, sessions } = JSON.parse(process.argv[2] ?? '{}') as CountingOrder;
const agent = new http.Agent({ keepAlive: true });
const counted: Record<string, number> = {};
const wrong: string[] = [];
const failed: string[] = [];
const waits: [number, number][] = [];
let sent = 0;
let isStopped = false;

process.on('message', () => (isStopped = true));
process.on('disconnect', () => process.exit(0));

/** One request at a time for each session: which count must follow is known. */
async function live(index: number): Promise<void> {
  const session = `s${index}`;
  const everyMs = (1000 * sessions) / perSecond;
  let dueMs = performance.now() + (everyMs * index) / sessions;
  while (!isStopped) {
    await pause(Math.max(0, dueMs - performance.now()));
    if (isStopped) return;
    sent += 1;
    try {
      const got = await count(places[sent % places.length]!, session);
      const expected = (counted[session] ?? 0) + 1;
      counted[session] = expected;
      if (got !== expected) wrong.push(`${session} must be at ${expected}, got ${got}`);
    } catch (error) {
      failed.push(`${session}: ${(error as Error).message}`);
    }
    const ms = performance.now() - dueMs;
    waits.push([Date.now() - ms, ms]);
    dueMs += everyMs;
  }
}

function count(place: string, session: string): Promise<number> {
  const [host, port] = place.split(':');
  return new Promise((resolve, reject) => {
    const request = http.get({ host, port, path: `/count?session=${session}`, agent }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve((JSON.parse(body) as { session: number }).session);
        else reject(new Error(`${response.statusCode} ${body.slice(0, 100)}`));
      });
    });
    request.setTimeout(GIVEN_UP_MS, () => request.destroy(new Error('no response')));
    request.on('error', reject);
  });
}

void Promise.all(Array.from({ length: sessions }, (_, index) => live(index))).then(() => {
  const record: CountingRecord = { sent, counted, wrong, failed, waits };
  process.send?.({ record }, () => process.exit(0));
});

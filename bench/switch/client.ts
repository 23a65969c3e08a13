// Writers in a process of their own, each with a connection of its own: it numbers its writes and counts for itself.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import type { SeenResponse } from '../../rehearsal/writes/pause';
import type { SentWrite } from '../../rehearsal/writes/write-log';
import type { Side } from '../../core/traffic/weights';
import { DATA_PORT, type ClientOrder, type ClientRecord, type ClientTask, type FailedWrite } from './messages';

const REST_MS = 15;
const GIVEN_UP_MS = 30_000;

const { name, writers, perSecond, secure } = JSON.parse(process.argv[2] ?? '{}') as ClientOrder;
const record = { sent: [] as SentWrite[], responses: [] as SeenResponse[], failed: [] as FailedWrite[] };
let tasks: readonly ClientTask[] = [];
let isOver = false;

const secured = secure && {
  port: secure.port,
  servername: secure.name,
  ca: readFileSync(secure.caFile),
};

interface Written {
  readonly side: Side;
  readonly number: number;
}

function send(agent: http.Agent, host: string, body: string): Promise<Written> {
  return new Promise((resolve, reject) => {
    const headers = {
      ...{ 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      ...(secure && { host: secure.name }),
    };
    const options = { host, port: DATA_PORT, path: '/writes', method: 'POST', agent, headers };
    const request = (secure ? https : http).request({ ...options, ...secured }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (response.statusCode === 200) resolve(JSON.parse(text) as Written);
        else reject(new Error(`${response.statusCode} ${text.slice(0, 100)}`));
      });
    });
    request.setTimeout(GIVEN_UP_MS, () => request.destroy(new Error('no response')));
    request.on('error', reject);
    request.end(body);
  });
}

async function live(index: number): Promise<void> {
  const agent = new (secure ? https : http).Agent({ keepAlive: true, maxSockets: 1 });
  const client = `${name}-${index}`;
  const everyMs = perSecond === undefined ? undefined : (1000 * writers) / perSecond;
  let dueMs = performance.now() + (everyMs ?? 0) * (index / writers);
  for (let n = 1; !isOver; n += 1) {
    if (everyMs === undefined) dueMs = performance.now();
    else await pause(Math.max(0, dueMs - performance.now()));
    if (isOver) break;
    const task = tasks[index % tasks.length];
    if (!task) return;
    try {
      const { side, number } = await send(agent, task.host, JSON.stringify({ client, n }));
      record.sent.push({ client, n, response: { side, number } });
    } catch (error) {
      record.sent.push({ client, n });
      record.failed.push({ task: task.id, atMs: Date.now(), problem: (error as Error).message });
    }
    const ms = performance.now() - dueMs;
    record.responses.push({ dueAtMs: Date.now() - ms, ms });
    if (everyMs === undefined) await pause(REST_MS);
    else dueMs += everyMs;
  }
  agent.destroy();
}

let lives: Promise<unknown> | undefined;
process.on('message', (message: { tasks?: readonly ClientTask[]; stop?: true }) => {
  if (message.tasks) {
    tasks = message.tasks;
    lives ??= Promise.all(Array.from({ length: writers }, (_, index) => live(index)));
  }
  if (message.stop) {
    isOver = true;
    void lives?.then(() => process.send?.({ record } satisfies { record: ClientRecord }, () => process.exit(0)));
  }
});
process.on('disconnect', () => process.exit(0));
const counting = setInterval(() => process.send?.({ done: record.sent.length }), 20);
counting.unref();

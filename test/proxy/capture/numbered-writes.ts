import http from 'node:http';
import https from 'node:https';
import type { TrafficStream } from '../../../core/capture/traffic-stream';
import { later, until } from '../support/world';

export interface Writes {
  /** The numbers that its client saw succeed, in their order. */
  readonly succeeded: number[];
  readonly statuses: Map<number | string, number>;
  stop(): Promise<void>;
}

export interface WriterOptions {
  /** Of a load balancer. @default - plain TCP */
  readonly tls?: { readonly ca: string; readonly servername: string };
  /** Whether a write that succeeded is one that must be recorded. @default - each is */
  readonly isRecorded?: (response: http.IncomingMessage) => boolean;
}

/** A client that counts for itself: one write after the other over a connection that is kept, each with its own number. */
export function startWriter(name: number, port: () => number, { tls, isRecorded }: WriterOptions = {}): Writes {
  const agent = new (tls ? https.Agent : http.Agent)({ keepAlive: true, maxSockets: 1, ...tls });
  const succeeded: number[] = [];
  const statuses = new Map<number | string, number>();
  let isStopped = false;
  const write = (number: number) =>
    new Promise<number | string>((resolve) => {
      const options = { host: '127.0.0.1', port: port(), agent, method: 'POST', path: `/writes/${name}` };
      const headers = tls && { host: tls.servername };
      const request = (tls ? https : http).request({ ...options, ...tls, headers }, (response) => {
        response.resume().on('end', () => {
          const status = response.statusCode!;
          if (status === 200 && (isRecorded?.(response) ?? true)) succeeded.push(number);
          resolve(status);
        });
        response.on('error', ({ message }) => resolve(message));
      });
      request.on('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? error.message));
      request.end(`${name}:${number};`);
    });
  const run = async () => {
    for (let number = 0; !isStopped; number += 1) {
      const outcome = await write(number);
      statuses.set(outcome, (statuses.get(outcome) ?? 0) + 1);
      if (outcome !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const running = run();
  const stop = async () => {
    isStopped = true;
    await running;
    agent.destroy();
  };
  later(stop);
  return { succeeded, statuses, stop };
}

/** What the clients saw by now. */
export function countOutcomes(writers: readonly Writes[]) {
  const count = (status: number | string) =>
    writers.reduce((sum, { statuses }) => sum + (statuses.get(status) ?? 0), 0);
  /** Waits for so many more. */
  const more = async (status: number, by: number) => {
    const before = count(status);
    await until(() => count(status) >= before + by);
  };
  return { count, more };
}

/** The writes of the record by their client, in the order of each process; and how often one request id has a body. */
function listWrites(streams: readonly TrafficStream[]) {
  const dropped = new Set<string>();
  const bodies = new Map<string, string>();
  for (const { connectionId, priorRequests, observations } of streams) {
    const id = `${connectionId}.${priorRequests}`;
    for (const each of observations) {
      if (each.kind === 'dropped') dropped.add(id);
      if (each.kind === 'read') bodies.set(id, (bodies.get(id) ?? '') + Buffer.from(each.data).toString());
    }
  }
  return [...bodies].map(([id, text]) => ({
    id,
    isDropped: dropped.has(id),
    // One write for each id: a record that stood twice would have two.
    found: [...text.matchAll(/(\d+):(\d+);/g)].map(([, client, number]) => [Number(client), Number(number)] as const),
  }));
}

/**
 * @param received bodies that reached the backend
 * @param honest statuses beside those of a proxy alone
 */
export function judgeWrites(
  writers: readonly Writes[],
  streams: readonly TrafficStream[],
  received: readonly string[],
  honest: readonly number[] = [],
): void {
  // Honest: what failed says so, or its connection was cut.
  const outcomes = new Set(writers.flatMap(({ statuses }) => [...statuses.keys()]));
  for (const each of [...honest, 200, 503, 'ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'socket hang up', 'aborted'])
    outcomes.delete(each);
  expect([...outcomes]).toEqual([]);
  const writes = listWrites(streams);
  expect(writes.filter(({ found }) => found.length !== 1)).toEqual([]);
  const recorded = new Set(writes.filter(({ isDropped }) => !isDropped).map(({ found }) => found[0]!.join(':')));
  const succeeded = writers.flatMap((each, name) => each.succeeded.map((number) => `${name}:${number}`));
  expect(succeeded.length).toBeGreaterThan(1_000);
  expect(succeeded.filter((write) => !recorded.has(write))).toEqual([]);
  // What reached the backend is in the record, too, whether its client heard of it or not; and nothing that was dropped did.
  expect(received.filter((body) => !recorded.has(body.replace(';', '')))).toEqual([]);
  // Those of one client stand in the order in which they were sent; behind a load balancer a connection has those of several.
  const byConnection = new Map<string, number[]>();
  for (const { id, found } of writes) {
    const [client, number] = found[0]!;
    const connection = `${client} ${id.slice(0, id.lastIndexOf('.'))}`;
    byConnection.set(connection, [...(byConnection.get(connection) ?? []), number]);
  }
  for (const numbers of byConnection.values()) expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
}

import { Engine, EngineOptions, liveIn, startEngine, until } from '../../../support/world';
import { RawResponse, RawClient, findField, send } from './raw-client';
import { RawUpstream, startUpstream } from './raw-upstream';

/** Lines of a head and the empty line behind them. */
export function head(...lines: string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** One named case: what is sent, and the status (or one of them) that responds to it. */
export type Rejection = readonly [name: string, bytes: string, status: number | readonly number[]];

/** A row for every name, so that a table of names reads as one. */
export function each(status: number | readonly number[], cases: Readonly<Record<string, string>>): Rejection[] {
  return Object.entries(cases).map(([name, bytes]) => [name, bytes, status] as const);
}

export interface Stand {
  readonly engine: Engine;
  readonly upstream: RawUpstream;
  readonly faults: unknown[];
}

/** An engine before a recording upstream. */
export async function startStand(options: EngineOptions = {}, upstream?: RawUpstream): Promise<Stand> {
  const faults: unknown[] = [];
  const behind = upstream ?? (await startUpstream());
  const engine = await startEngine(behind.port, { faulted: (error) => faults.push(error), ...options });
  return { engine, upstream: behind, faults };
}

/** Rejected for its head: the right status, closed, and no byte of it reached the upstream. */
export async function expectRejected(bytes: string, status: Rejection[2], options: EngineOptions = {}) {
  const stand = await startStand(options);
  const client = await send(stand.engine.port, bytes);
  await expectResponseAndClose(client, status);
  await expectServes(stand);
  expect(stand.upstream.targets).toEqual(['/sentinel']);
  expect(stand.upstream.connections.map(({ received }) => received).join('')).toMatch(/^GET \/sentinel /);
  expect(stand.engine.heads.map(({ url }) => url)).toEqual(['/sentinel']);
}

/** Rejected in its body: the right status, closed, and the upstream was never told that the request is whole. */
export async function expectUploadRejected(bytes: string, status: Rejection[2], options: EngineOptions = {}) {
  const stand = await startStand(options);
  const client = await send(stand.engine.port, bytes);
  await expectResponseAndClose(client, status);
  await stand.upstream.when(({ connections }) => connections.every(({ isClosed }) => isClosed));
  await expectServes(stand);
  expect(stand.upstream.targets).toEqual(['/sentinel']);
}

/** One response with this status, no byte behind it, and the end of the connection. */
export async function expectResponseAndClose(client: RawClient, status: Rejection[2]): Promise<RawResponse> {
  const [response] = await client.responds();
  expect([status].flat()).toContain(response?.status ?? `no response, but ${JSON.stringify(client.received)}`);
  expect(findField(response, 'connection')?.toLowerCase()).toBe('close');
  expect(await client.closes()).toBe(true);
  const { responses, rest } = client.read();
  expect(responses).toHaveLength(1);
  expect(rest).toBe('');
  return response!;
}

/** The plane goes on: it serves the next client, has no fault of its own, and its ledger returns to zero. */
export async function expectServes({ engine, faults }: Stand): Promise<void> {
  const client = await send(engine.port, head('GET /sentinel HTTP/1.1', 'Host: sentinel', 'Connection: close'));
  expect(await client.statuses()).toEqual([200]);
  await until(() => liveIn(engine.ledger) === 0);
  expect(faults).toEqual([]);
}

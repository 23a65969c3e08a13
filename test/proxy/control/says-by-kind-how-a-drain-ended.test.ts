import { once } from 'node:events';
import type http from 'node:http';
import { Client, ClientReadableStream, credentials, makeClientConstructor } from '@grpc/grpc-js';
import WebSocket, { WebSocketServer } from 'ws';
import { beginDrain, drainSeen } from '../../../core/cutover/drain-run';
import { buildEvidence } from '../../../core/cutover/evidence';
import { CutoverRun, begin } from '../../../core/cutover/run';
import type { TaskReading } from '../../../core/judge/tally';
import { beginWatch, observe } from '../../../core/judge/watch';
import { parsePlan } from '../../../core/plan/plan';
import type { LedgerReport } from '../../../core/proxy/admin-api';
import { NO_CONNECTIONS, eachKind, total } from '../../../core/proxy/connections';
import { ORDERS, startGrpcApp } from '../clients/support/grpc-app';
import { MOVES } from '../moves/support/world';
import { callAdmin, findReport, startTestProxy } from '../support/proxy-world';
import { get, later, startBackend, stopAll, until } from '../support/world';

afterEach(stopAll);

const NOW = { perKindSeconds: eachKind(() => 0), closeRatePerSecond: 1_000, jitter: 0 };

/** A backend of each kind of HTTP/1.1, and a proxy before it. */
async function startKinds() {
  const backend = await startBackend((request, response) => {
    const begin = (headers: http.OutgoingHttpHeaders, part: string) =>
      void response.writeHead(200, headers).write(part);
    if (request.url === '/events') begin({ 'content-type': 'text/event-stream' }, 'data: 1\n\n');
    if (request.url === '/ndjson') begin({ 'content-type': 'application/x-ndjson' }, '{"n":1}\n');
    if (request.url === '/short') setTimeout(() => response.end('whole'), 30);
  });
  const sockets = new WebSocketServer({ server: backend.server });
  later(() => sockets.close());
  return startTestProxy(backend.port);
}

async function drain(port: number): Promise<LedgerReport> {
  await callAdmin(port, { method: 'POST', path: '/drain', body: JSON.stringify(NOW) });
  let report = await findReport(port);
  await until(async () => total((report = await findReport(port)).active) === 0);
  return report;
}

/** What the evidence of a cutover says, whose one task reported this at the start and at the end of its drain. */
function findKinds(before: LedgerReport, after: LedgerReport) {
  const reading = (report: LedgerReport): TaskReading[] => [{ id: 't', address: 't', life: 'running', report }];
  const watch = beginWatch({ source: reading(before), target: [] }, 0, 'source');
  const run: CutoverRun = { ...begin('e', '2026-01-01T00:00:00Z', parsePlan({})), watch };
  const progress = beginDrain(run, reading(before), 0);
  const seen = observe(watch, { source: reading(after) }, { source: 0, target: 0 }, 1_000, undefined);
  const ended = drainSeen({ ...run, watch: seen }, progress, reading(after));
  return buildEvidence({ ...run, watch: seen, drain: ended }, 'completed', 1_000).drain;
}

test('requests, WebSockets, event streams and other streams: each kind by itself, in order or by force', async () => {
  const proxy = await startKinds();
  const { port } = proxy.data;
  const admin = proxy.admin!.port;
  const ask = (method: string, path: string) => get({ port, method, path }).catch(() => undefined);
  void ask('GET', '/never');
  const short = ask('GET', '/short');
  void ask('GET', '/events');
  void ask('POST', '/ndjson');
  void ask('POST', '/ndjson');
  const sockets = [1, 2, 3].map(() => new WebSocket(`ws://127.0.0.1:${port}`));
  await Promise.all(sockets.map((socket) => once(socket, 'open')));
  const live = { ...NO_CONNECTIONS, http: 2, websocket: 3, serverSentEvents: 1, streaming: 2 };
  let before = await findReport(admin);
  await until(async () => {
    before = await findReport(admin);
    return before.active.streaming === 2 && before.active.serverSentEvents === 1;
  });
  expect(before.active.http).toBeLessThanOrEqual(live.http);
  await short;
  sockets[0]!.close();
  await until(async () => (await findReport(admin)).active.websocket === 2);
  const after = await drain(admin);
  expect(after.drainForcedByKind).toEqual({ ...NO_CONNECTIONS, http: 1, streaming: 2 });
  expect(after.drainForced).toBe(3);
  const { byKind, forced, closed } = findKinds({ ...before, active: live }, after);
  const none = { completed: 0, moved: 0, closed: 0, forced: 0, lost: 0, unknown: 0 };
  expect(byKind).toEqual({
    http: { ...none, completed: 1, forced: 1 },
    websocket: { ...none, completed: 1, closed: 2 },
    grpcStream: none,
    serverSentEvents: { ...none, closed: 1 },
    streaming: { ...none, forced: 2 },
  });
  expect([forced, closed]).toEqual([3, 3]);
  // As of a proxy that does not say it: unknown, and not zero.
  const older = findKinds(before, { ...after, drainForcedByKind: undefined });
  expect(older).toMatchObject({ forced: 3, byKind: { websocket: { closed: 2 } } });
  expect(older.byKind?.streaming).not.toHaveProperty('forced');
  expect(older.byKind?.websocket).not.toHaveProperty('completed');
});

test('streams of gRPC, which no move takes elsewhere', async () => {
  const app = await startGrpcApp();
  const otherUpstream = { protocol: 'http', host: '127.0.0.1', port: app.port } as const;
  const proxy = await startTestProxy(app.port, { otherUpstream, moves: { ...MOVES, mode: 'all' } });
  const Orders = makeClientConstructor(ORDERS, 'Orders');
  const client = new Orders(`127.0.0.1:${proxy.data.port}`, credentials.createInsecure()) as unknown as Client & {
    ticks: (message: Buffer) => ClientReadableStream<Buffer>;
  };
  later(() => client.close());
  const ticks = client.ticks(Buffer.from('1'));
  const ended = new Promise((resolve) => ticks.on('error', resolve));
  ticks.resume();
  const admin = proxy.admin!.port;
  let before = await findReport(admin);
  await until(async () => (before = await findReport(admin)).active.grpcStream === 1);
  const after = await drain(admin);
  await ended;
  expect(findKinds(before, after).byKind?.grpcStream).toMatchObject({ closed: 1, forced: 0, completed: 0 });
  expect(proxy.report().moves!.rejected).toEqual({ kind: 1 });
});

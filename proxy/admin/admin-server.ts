import http, { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  ADMIN_HEADERS,
  ADMIN_PATHS,
  DrainOrder,
  LedgerReport,
  LookReport,
  adminAddress,
  adminResponseToSign,
  UndrainOrder,
  readDrainOrder,
  readUndrainOrder,
} from '../../core/proxy/admin-api';
import {
  HoldOrder,
  ReleaseOrder,
  RetargetOrder,
  readHoldOrder,
  readReleaseOrder,
  readRetargetOrder,
} from '../../core/proxy/hold';
import type { MirrorReport } from '../../core/compare/mirror-report';
import { ConnectionPage, ConnectionQuery, readConnectionQuery } from '../../core/proxy/connection-list';
import { BackendCallOrder, BackendCallReport, MAX_CALL_MS, readBackendCallOrder } from '../../core/proxy/backend-call';
import { ProbeOrder, ProbeReport, readProbeOrder } from '../../core/proxy/probe';
import { RestartOrder, readRestartOrder } from '../../core/proxy/restart';
import { PROXY_SETTINGS } from '../../core/proxy/settings/settings';
import {
  MAX_TRANSFER_WAIT_MS,
  TransferOrder,
  TransferReport,
  readTransferOrder,
} from '../../core/proxy/state-transfer';
import { WindowOrder, WindowReport, readWindowOrder } from '../../core/proxy/window';
import { findDescriptor } from '../data-plane/transport/native';
import { Problems } from '../../core/validation/problems';
import { AdminKeys } from '../admin-keys/admin-keys';
import { ReceivedCall, SignatureCheck, UsedNonces, sign } from './signature';
import { WaitingConnections } from './waiting-connections';

/** A call failed for a reason that its caller may know: the response says it. The reasons of other errors stay inside. */
export class CallFailed extends Error {
  constructor(
    message: string,
    readonly status: 409 | 500 | 504 = 500,
  ) {
    super(message);
  }
}

/** Why an order cannot be followed; undefined when it was. Several workers have to be asked, one responds at once. */
export type Notified = string | undefined | Promise<string | undefined>;

/** What the admin API can see and do. */
export interface AdminTarget {
  /** See `LedgerReport`. */
  readonly identity: string;
  report(): LedgerReport | Promise<LedgerReport>;
  connections(query: ConnectionQuery): ConnectionPage | Promise<ConnectionPage>;
  /** Why nothing may be changed now; undefined when it may. */
  rejection(): string | undefined;
  /** @param agoMs when it was ordered first, of another process: from there its times count */
  drain(order: DrainOrder, agoMs?: number): Notified;
  undrain(order: UndrainOrder): Notified;
  hold(order: HoldOrder): Notified;
  release(order: ReleaseOrder): Notified;
  retarget(order: RetargetOrder): Notified;
  probe(order: ProbeOrder): Promise<ProbeReport>;
  window(order: WindowOrder): WindowReport | Promise<WindowReport>;
  callBackend(order: BackendCallOrder): Promise<BackendCallReport>;
  transferState(order: TransferOrder): Promise<TransferReport>;
  /** Undefined where nothing is copied. */
  mirror?(): MirrorReport | undefined | Promise<MirrorReport | undefined>;
  metrics(): Promise<{ readonly contentType: string; readonly body: string }>;
  /** Resolves when another generation serves, or with why none does. Absent where none can be started. */
  restart?(order: RestartOrder): Notified;
}

export interface AdminServer {
  readonly address: { readonly host: string; readonly port: number };
  /** Of the socket that it listens at; undefined where it is not known. */
  readonly descriptor: number | undefined;
  /** Nonces that were used, for another generation: see `SignatureCheck`. */
  readonly nonces: UsedNonces;
  /** Has calls that come wait, and those that come on new connections. */
  pause(until: Promise<unknown>): void;
  /** A call as another generation received it. */
  pass(call: ReceivedCall): Promise<Reply>;
  /**
   * Accepts no connection any more. Calls on those that are open are passed on: another generation responds.
   *
   * @param to resolves with its response
   */
  divert(to: (call: ReceivedCall) => Promise<Reply>): void;
  close(): Promise<void>;
}

export interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @param query of the path that was called, without its question mark */
type Handler = (target: AdminTarget, body: string, query: string) => Reply | Promise<Reply>;

const MAX_BODY_BYTES = 64 * 1024;
const MAX_RESTART_MS = 1000 * PROXY_SETTINGS.restart_timeout_seconds.max;
/** So long a worker may be late behind a restart: it is done, and its caller should hear that. */
const MAX_REPORT_MS = 30_000;
const LOOK_AGAIN_MS = 500;
const NO_MIRROR = "'mirror_url' must be configured for a report of a mirror, got nothing";
const NO_RESTART = 'This proxy cannot be restarted: it is a part of another process';
/**
 * For a whole call, from the connection or the end of the call before on, and how late its end may be noticed: Node.js looks
 * each 30 s by itself.
 */
const TIMES = { callMs: 10_000, lookMs: 1_000 };

interface Call {
  readonly method: 'GET' | 'POST';
  readonly handle: Handler;
  /** The target itself says whether it follows it now. */
  readonly decidesItself?: boolean;
  /** What it may take, where that is longer than a call. */
  readonly maxMs?: number;
}

const CALLS: ReadonlyMap<string, Call> = new Map(
  Object.entries<Call>({
    // It asks no worker: the caller with an order for a task with one that hangs needs its name all the same.
    [ADMIN_PATHS.identity]: { method: 'GET', handle: ({ identity }) => json(200, { identity }) },
    [ADMIN_PATHS.drainStatus]: { method: 'GET', handle: async (target) => json(200, await target.report()) },
    [ADMIN_PATHS.connections]: { method: 'GET', handle: (target, _, query) => list(target, query) },
    [ADMIN_PATHS.drain]: order(readDrainOrder, (target, asked) => target.drain(asked)),
    [ADMIN_PATHS.undrain]: order(readUndrainOrder, (target, asked) => target.undrain(asked)),
    // A proxy that shuts down still serves, and must not serve the wrong side in a switch.
    [ADMIN_PATHS.hold]: { ...order(readHoldOrder, (target, asked) => target.hold(asked)), decidesItself: true },
    [ADMIN_PATHS.release]: {
      ...order(readReleaseOrder, (target, asked) => target.release(asked)),
      decidesItself: true,
    },
    [ADMIN_PATHS.retarget]: order(readRetargetOrder, (target, asked) => target.retarget(asked)),
    [ADMIN_PATHS.probe]: {
      ...reading(readProbeOrder, async (target, asked) => json(200, await target.probe(asked))),
      decidesItself: true,
    },
    [ADMIN_PATHS.window]: {
      ...reading(readWindowOrder, async (target, asked) => json(200, await look(target, asked))),
      decidesItself: true,
    },
    // In a switch a proxy that shuts down holds, too.
    [ADMIN_PATHS.backendCall]: {
      ...reading(readBackendCallOrder, async (target, asked) => json(200, await target.callBackend(asked))),
      ...{ decidesItself: true, maxMs: MAX_CALL_MS + TIMES.callMs },
    },
    [ADMIN_PATHS.stateTransfer]: {
      ...reading(readTransferOrder, async (target, asked) => json(200, await target.transferState(asked))),
      ...{ decidesItself: true, maxMs: MAX_TRANSFER_WAIT_MS + TIMES.callMs },
    },
    [ADMIN_PATHS.restart]: {
      ...reading(readRestartOrder, (target, asked) =>
        outcome(target, target.restart?.(asked) ?? NO_RESTART, insistOnReport),
      ),
      maxMs: MAX_RESTART_MS + MAX_REPORT_MS + TIMES.callMs,
    },
    [ADMIN_PATHS.mirror]: { method: 'GET', handle: showMirror },
    [ADMIN_PATHS.metrics]: { method: 'GET', handle: async (target) => ({ status: 200, ...(await target.metrics()) }) },
  }),
);

export interface AdminServerOptions {
  readonly callMs?: number;
  readonly lookMs?: number;
  /** That another generation has let in. */
  readonly nonces?: UsedNonces;
}

/**
 * Serves the admin API. Every call is signed, and so is its response; see `core/proxy/admin-api.ts`.
 *
 * @throws Error of `listen`, with `code` `EADDRINUSE` for a busy port.
 */
export async function startAdminServer(
  at: { readonly host: string; readonly port: number; readonly fd?: number | undefined },
  keys: AdminKeys,
  target: AdminTarget,
  { callMs = TIMES.callMs, lookMs = TIMES.lookMs, nonces = [] }: AdminServerOptions = {},
): Promise<AdminServer> {
  const options = { requestTimeout: callMs, headersTimeout: callMs, connectionsCheckingInterval: lookMs };
  const server = http.createServer(options);
  // A response that no client reads ends, too.
  server.setTimeout(callMs);
  const calls = new Calls(keys, target, new WaitingConnections(server), nonces);
  server.on('request', (request, response) => void calls.serve(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    if (at.fd === undefined) server.listen(at.port, at.host, () => resolve());
    else server.listen({ fd: at.fd }, () => resolve());
  });
  keys.start();
  let diverted: Promise<void> | undefined;
  return {
    address: { host: at.host, port: (server.address() as AddressInfo).port },
    get descriptor() {
      return findDescriptor(server);
    },
    get nonces() {
      return calls.nonces;
    },
    pause: (until) => calls.pause(until),
    pass: (call) => calls.respond(call),
    divert: (to) => {
      calls.divert(to);
      diverted ??= new Promise((resolve) => server.close(() => resolve()));
    },
    close: () => {
      keys.stop();
      // What another generation responds to is passed on to its end.
      return diverted ?? close(server);
    },
  };
}

class Calls {
  private readonly check: SignatureCheck;
  private paused: Promise<unknown> = Promise.resolve();
  private diverted: ((call: ReceivedCall) => Promise<Reply>) | undefined;

  constructor(
    keys: AdminKeys,
    private readonly target: AdminTarget,
    private readonly connections: WaitingConnections,
    nonces: UsedNonces,
  ) {
    this.check = new SignatureCheck(keys, target.identity, nonces);
  }

  get nonces(): UsedNonces {
    return this.check.nonces;
  }

  pause(until: Promise<unknown>): void {
    this.paused = until;
  }

  divert(to: (call: ReceivedCall) => Promise<Reply>): void {
    this.diverted = to;
  }

  /** A call that another generation received. */
  respond(call: ReceivedCall): Promise<Reply> {
    const known = findCall(call);
    if ('status' in known) return Promise.resolve(known);
    const checked = this.check.check(call, Date.now());
    return 'rejection' in checked ? Promise.resolve(text(401, checked.rejection)) : this.reply(known, call, checked);
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const reply = await this.receive(request).catch(failure);
    // A caller that calls again finds the generation that serves.
    if (this.diverted) response.shouldKeepAlive = false;
    send(request, response, reply);
    this.connections.wait(socket);
  }

  private async receive(request: IncomingMessage): Promise<Reply> {
    const { url: path = '/', method = 'GET', headers, socket } = request;
    const known = findCall({ path, method });
    if ('status' in known) return known;
    const body = await readBody(request);
    if (body === undefined) return text(413, `The body must have at most ${MAX_BODY_BYTES} bytes`);
    const at = adminAddress(socket.localAddress ?? '', socket.localPort ?? 0);
    const call = { method, path, headers, body, at };
    await this.paused;
    if (this.diverted) return this.diverted(call);
    const checked = this.check.check(call, Date.now());
    if ('rejection' in checked) return text(401, checked.rejection);
    this.connections.serves(socket);
    const usualMs = socket.timeout;
    if (known.maxMs !== undefined) socket.setTimeout(known.maxMs);
    const reply = await this.reply(known, call, checked);
    socket.setTimeout(usualMs ?? 0);
    return reply;
  }

  private async reply(call: Call, received: ReceivedCall, by: { signature: string; key: string }): Promise<Reply> {
    return signed(await this.follow(call, received).catch(failure), by);
  }

  private async follow(call: Call, { path, body }: ReceivedCall): Promise<Reply> {
    const isFree = call.method === 'GET' || call.decidesItself === true;
    const conflict = isFree ? undefined : this.target.rejection();
    return conflict === undefined
      ? call.handle(this.target, body, path.split('?', 2)[1] ?? '')
      : json(409, { problems: [conflict] });
  }
}

function findCall({ path, method }: { readonly path: string; readonly method: string }): Call | Reply {
  const call = CALLS.get(path.replace(/\?.*$/, ''));
  if (!call) return text(404, 'No such call');
  return call.method === method ? call : { ...text(405, `Only ${call.method}`), headers: { allow: call.method } };
}

/** Generations and their workers may have their hands full; one that has ended responds no more. */
async function insistOnReport(target: AdminTarget): Promise<LedgerReport> {
  const untilMs = performance.now() + MAX_REPORT_MS;
  for (;;) {
    try {
      return await target.report();
    } catch (error) {
      const conflict = target.rejection();
      // It has no report any more, and waits for this call to end.
      if (conflict !== undefined) throw new CallFailed(conflict, 409);
      const isGone = error instanceof CallFailed && error.status !== 504;
      if (isGone || performance.now() >= untilMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
  }
}

/** See `LookReport`. */
async function look(target: AdminTarget, asked: WindowOrder): Promise<LookReport> {
  const [window, report] = await Promise.all([target.window(asked), target.report()]);
  return { ...report, window };
}

async function showMirror(target: AdminTarget): Promise<Reply> {
  const report = await target.mirror?.();
  return report ? json(200, report) : json(409, { problems: [NO_MIRROR] });
}

async function list(target: AdminTarget, query: string): Promise<Reply> {
  const problems = new Problems();
  const asked = readConnectionQuery(query, problems);
  return problems.all.length > 0 ? json(400, { problems: problems.all }) : json(200, await target.connections(asked));
}

/** With the key of its request: its caller may not know another one. */
function signed(reply: Reply, by: { readonly signature: string; readonly key: string }): Reply {
  const signature = sign(by.key, adminResponseToSign(by.signature, reply.status, reply.body));
  return { ...reply, headers: { ...reply.headers, [ADMIN_HEADERS.signature]: signature } };
}

/** A call whose body is an order in JSON. */
function order<T>(
  read: (name: string, value: unknown, problems: Problems) => T,
  follow: (target: AdminTarget, asked: T) => Notified,
): Call {
  return reading(read, (target, asked) => outcome(target, follow(target, asked)));
}

/** A call whose body is JSON. */
function reading<T>(
  read: (name: string, value: unknown, problems: Problems) => T,
  respond: (target: AdminTarget, asked: T) => Promise<Reply>,
): Call {
  const handle: Handler = (target, body) => {
    const parsed = parse(body);
    if ('problem' in parsed) return json(400, { problems: [parsed.problem] });
    const problems = new Problems();
    const asked = read('', parsed.value, problems);
    if (problems.all.length > 0) return json(400, { problems: problems.all });
    return respond(target, asked);
  };
  return { method: 'POST', handle };
}

/** An absent body is an order without parts. */
function parse(body: string): { readonly value: unknown } | { readonly problem: string } {
  let value: unknown;
  try {
    value = body === '' ? {} : JSON.parse(body);
  } catch {
    return { problem: "'body' must be JSON" };
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? { value } : { problem: `'body' must be an object, got ${JSON.stringify(value)}` };
}

async function outcome(
  target: AdminTarget,
  notified: Notified,
  report: (target: AdminTarget) => LedgerReport | Promise<LedgerReport> = (one) => one.report(),
): Promise<Reply> {
  const conflict = await notified;
  if (conflict !== undefined) return json(409, { problems: [conflict] });
  return json(202, await report(target));
}

function failure(error: unknown): Reply {
  return error instanceof CallFailed ? json(error.status, { problems: [error.message] }) : text(500, 'The call failed');
}

/** Undefined when it is too long. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= MAX_BODY_BYTES) chunks.push(chunk);
    else if (length > 2 * MAX_BODY_BYTES) break;
  }
  return length > MAX_BODY_BYTES ? undefined : Buffer.concat(chunks).toString('utf8');
}

function send(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  const length = Buffer.byteLength(reply.body);
  const closing = request.complete ? {} : { connection: 'close' };
  response.writeHead(reply.status, {
    'content-type': reply.contentType,
    'content-length': length,
    'cache-control': 'no-store',
    ...closing,
    ...reply.headers,
  });
  response.end(reply.body);
}

function json(status: number, value: unknown): Reply {
  return { status, contentType: 'application/json', body: `${JSON.stringify(value)}\n` };
}

function text(status: number, line: string): Reply {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${line}\n` };
}

function close(server: http.Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

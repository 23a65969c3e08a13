import type { Socket } from 'node:net';
import { PeerCertificate, TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { Expectation, MessageCounter } from '../core/check/load';
import { CloseSeen, HandshakeSeen, IdleSeen, StepSeen, TlsSeen, WebSocketSeen } from '../core/check/websocket';
import { oneLine } from '../core/text/one-line';
import { Opening, SocketEvents, closeInOrder, openWebSocket } from './open-websocket';
import type { Progress } from './progress';
import { CheckTarget, pause, readHeader } from './target';

export interface WebSocketPlan {
  /** How the response to a message is recognized; `none`: no message is sent. */
  readonly expectation: Expectation | 'none';
  readonly message: string;
  /** How long it stays silent; 0: it does not. */
  readonly idleMs: number;
}

/** One WebSocket, and what it has shown so far. */
interface Session {
  readonly target: CheckTarget;
  readonly plan: WebSocketPlan;
  readonly signal: AbortSignal;
  readonly counts: { messages: number; pings: number };
  onMessage: (text: string) => void;
  onPong: (data: string) => void;
  closed?: { readonly code: number; readonly reason: string; readonly atMs: number };
  /** Aborted when it closes, and when a person stops the check. */
  readonly ended: AbortController;
}

/**
 * Goes through the life of one WebSocket, step by step, and ends with the first that fails.
 *
 * @param onStep is given each as it was done
 */
export async function checkWebSocket(
  target: CheckTarget,
  plan: WebSocketPlan,
  signal: AbortSignal,
  progress: Progress,
  onStep: (name: keyof WebSocketSeen, step: StepSeen) => void,
): Promise<WebSocketSeen> {
  const seen: { -readonly [name in keyof WebSocketSeen]: WebSocketSeen[name] } = {};
  const note = <Name extends keyof WebSocketSeen>(name: Name, step: WebSocketSeen[Name] & StepSeen): boolean => {
    if (signal.aborted && step.problem !== undefined) return false;
    seen[name] = step;
    onStep(name, step);
    return step.problem === undefined;
  };
  const session = newSession(target, plan, signal);
  progress.describe = () => 'opening the WebSocket';
  const socket = await open(session, note);
  if (!socket) return seen;
  const steps: readonly (() => boolean | Promise<boolean>)[] = [
    async () => plan.expectation === 'none' || note('echo', await echo(socket, session, plan.expectation, progress)),
    async () => note('ping', await ping(socket, session, progress)),
    async () => plan.idleMs === 0 || note('idle', await idle(session, progress)),
    async () => plan.idleMs === 0 || note('pingAfterIdle', await ping(socket, session, progress)),
  ];
  let isLive = true;
  for (const step of steps) isLive = isLive && !signal.aborted && (await step());
  if (session.closed === undefined) {
    progress.describe = () => 'waiting for the Close frame';
    const end = await close(socket);
    if (!signal.aborted) note('close', end);
  }
  return seen;
}

function newSession(target: CheckTarget, plan: WebSocketPlan, signal: AbortSignal): Session {
  const ended = new AbortController();
  const counts = { messages: 0, pings: 0 };
  const session: Session = { target, plan, signal, counts, ended, onMessage: () => undefined, onPong: () => undefined };
  signal.addEventListener('abort', () => ended.abort(), { once: true });
  return session;
}

type Note = <Name extends keyof WebSocketSeen>(name: Name, step: WebSocketSeen[Name] & StepSeen) => boolean;

async function open(session: Session, note: Note): Promise<WebSocket | undefined> {
  const { target, signal, counts } = session;
  const startedMs = performance.now();
  let connectedMs = startedMs;
  const onSocket = (socket: Socket) => {
    socket.once('connect', () => {
      connectedMs = performance.now();
      note('connect', { ms: connectedMs - startedMs });
    });
    socket.once('secureConnect', () => {
      const nowMs = performance.now();
      note('tls', describeTls(socket as TLSSocket, nowMs - connectedMs, Date.now()));
      connectedMs = nowMs;
    });
  };
  const events: SocketEvents = {
    onMessage: (text) => {
      counts.messages += 1;
      session.onMessage(text);
    },
    onPing: () => (counts.pings += 1),
    onPong: (data) => session.onPong(data),
    onClose: (code, reason) => {
      session.closed = { code, reason, atMs: performance.now() };
      session.ended.abort();
    },
  };
  const opening = await openWebSocket(target, events, signal, { compresses: true, onSocket });
  note('handshake', describeHandshake(opening, performance.now() - connectedMs));
  return opening.socket;
}

function describeHandshake({ status, headers, body = '', problem, socket }: Opening, ms: number): HandshakeSeen {
  const extensions = readHeader(headers, 'sec-websocket-extensions');
  const server = readHeader(headers, 'server');
  const retryAfter = readHeader(headers, 'retry-after');
  const said = [problem, ...(retryAfter === undefined ? [] : [`Retry-After ${retryAfter}`]), oneLine(body, 100)];
  return {
    ms,
    ...(status !== undefined && { status }),
    ...(socket && socket.protocol !== '' && { subprotocol: socket.protocol }),
    ...(extensions !== undefined && { extensions: oneLine(extensions, 200) }),
    ...(server !== undefined && { server: oneLine(server, 200) }),
    ...(problem !== undefined && { problem: said.filter((part) => part).join(': ') }),
  };
}

const DAY_MS = 86_400_000;

function describeTls(socket: TLSSocket, ms: number, nowMs: number): TlsSeen {
  const certificate = socket.getPeerCertificate() as Partial<PeerCertificate>;
  const untrusted = socket.authorized ? undefined : String(socket.authorizationError);
  const validTo = new Date(certificate.valid_to ?? 0);
  return {
    ms,
    protocol: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher().standardName,
    subject: describeName(certificate.subject),
    issuer: describeName(certificate.issuer),
    names: oneLine(certificate.subjectaltname ?? '', 200),
    validTo: validTo.toISOString(),
    daysLeft: Math.floor((validTo.getTime() - nowMs) / DAY_MS),
    ...(untrusted !== undefined && { untrusted }),
  };
}

function describeName(name: Partial<PeerCertificate['subject']> | undefined): string {
  const part = name?.CN ?? name?.O ?? '';
  return oneLine(String(part), 200);
}

/** Why a step has no good end: it closed, or no response came in time. */
function findProblem({ closed, target }: Session, what: string): string {
  if (closed) return describeClosed(closed);
  return `no ${what} in ${target.timeoutMs} ms`;
}

function describeClosed({ code, reason }: NonNullable<Session['closed']>): string {
  if (code === 1006) return 'closed without a Close frame (1006)';
  return `closed by the server with ${code}${reason === '' ? '' : ` (${oneLine(reason, 100)})`}`;
}

async function echo(
  socket: WebSocket,
  session: Session,
  expectation: Expectation,
  progress: Progress,
): Promise<StepSeen> {
  progress.describe = () => 'waiting for the response to a message';
  const counter = new MessageCounter(expectation);
  const text = session.plan.message.replaceAll('{n}', '1').replaceAll('{client}', '1');
  const startedMs = performance.now();
  counter.send(1, text, startedMs);
  const done = new AbortController();
  let ms: number | undefined;
  session.onMessage = (got) => {
    ms ??= counter.receive(got, performance.now());
    if (ms !== undefined) done.abort();
  };
  socket.send(text);
  await pause(session.target.timeoutMs, AbortSignal.any([done.signal, session.ended.signal]));
  session.onMessage = () => undefined;
  if (ms !== undefined) return { ms };
  const others = counter.count(false).other;
  const rest = others > 0 ? `, but ${others} messages that are none` : '';
  return { ms: performance.now() - startedMs, problem: `${findProblem(session, 'response to a message')}${rest}` };
}

const PING = 'drainshift check';

async function ping(socket: WebSocket, session: Session, progress: Progress): Promise<StepSeen> {
  progress.describe = () => 'waiting for a Pong';
  const startedMs = performance.now();
  const done = new AbortController();
  let ms: number | undefined;
  session.onPong = (data) => {
    // A Pong may come unasked, with any other data (RFC 6455 section 5.5.3).
    if (data !== PING) return;
    ms = performance.now() - startedMs;
    done.abort();
  };
  socket.ping(PING);
  await pause(session.target.timeoutMs, AbortSignal.any([done.signal, session.ended.signal]));
  session.onPong = () => undefined;
  return ms === undefined ? { ms: performance.now() - startedMs, problem: findProblem(session, 'Pong') } : { ms };
}

async function idle(session: Session, progress: Progress): Promise<IdleSeen> {
  const { plan, counts, ended, signal } = session;
  const before = { ...counts };
  const startedMs = performance.now();
  progress.describe = () => `silent, until ${Math.round(plan.idleMs / 1000)}s have passed`;
  await pause(plan.idleMs, ended.signal);
  const ms = (session.closed?.atMs ?? performance.now()) - startedMs;
  const problem = session.closed ? `${describeClosed(session.closed)} after ${Math.round(ms / 100) / 10} s` : undefined;
  return {
    ms,
    wantedMs: plan.idleMs,
    serverPings: counts.pings - before.pings,
    messages: counts.messages - before.messages,
    ...(problem !== undefined && { problem }),
    ...(problem === undefined && signal.aborted && { problem: 'stopped' }),
  };
}

async function close(socket: WebSocket): Promise<CloseSeen> {
  const startedMs = performance.now();
  const code = await closeInOrder(socket);
  const ms = performance.now() - startedMs;
  if (code === 1000) return { ms, code };
  const what = code === 1006 ? 'no Close frame came back (1006)' : `it closed with ${code} where 1000 was sent`;
  return { ms, code, problem: what };
}

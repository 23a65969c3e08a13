import { setMaxListeners } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { LoadPlan } from '../core/check/load-limits';
import {
  ConnectionCount,
  ConnectionEnd,
  Expectation,
  LoadFigures,
  MessageCounter,
  summarizeLoad,
} from '../core/check/load';
import { closeInOrder, openWebSocket } from './open-websocket';
import type { Progress } from './progress';
import { CheckTarget, pause } from './target';

export interface LoadOptions extends LoadPlan {
  readonly expectation: Expectation;
  /** Each message; `{n}`, `{client}` and `{time}` stand for its number, that of its client, and the time. */
  readonly message: string;
}

interface Run {
  readonly target: CheckTarget;
  readonly options: LoadOptions;
  readonly signal: AbortSignal;
  readonly latenciesMs: number[];
  readonly openingsMs: number[];
  readonly counters: MessageCounter[];
}

interface EndedConnection {
  readonly end: ConnectionEnd;
  readonly count: ConnectionCount;
}

const DELAY_RESOLUTION_MS = 5;

/** Opens the connections at their rate, whatever the server does, and ends by itself. */
export async function checkLoad(
  target: CheckTarget,
  options: LoadOptions,
  signal: AbortSignal,
  progress: Progress,
): Promise<LoadFigures> {
  // Each connection waits for it.
  setMaxListeners(0, signal);
  const run: Run = { target, options, signal, latenciesMs: [], openingsMs: [], counters: [] };
  const ended: EndedConnection[] = [];
  const planned = { connections: options.connections, messages: options.connections * options.messages };
  progress.describe = () => describe(run, ended);
  const all: Promise<void>[] = [];
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delay.enable();
  const startedMs = performance.now();
  for (let client = 1; client <= options.connections && !signal.aborted; client += 1) {
    const dueMs = startedMs + ((client - 1) * 1000) / options.rate;
    const waitMs = dueMs - performance.now();
    if (waitMs > 1) await pause(waitMs, signal);
    if (signal.aborted) break;
    all.push(runConnection(run, client).then((end) => void ended.push(end)));
  }
  await Promise.all(all);
  delay.disable();
  // Its values are those of a timer that is due each `resolution`.
  const ownDelayMs = Math.max(0, delay.max / 1e6 - DELAY_RESOLUTION_MS);
  return summarizeLoad(ended, planned, { ...run, ownDelayMs });
}

function describe({ options, openingsMs, counters }: Run, ended: readonly EndedConnection[]): string {
  const sum = (read: (counter: MessageCounter) => number) => counters.reduce((total, each) => total + read(each), 0);
  const bad = ended.filter(({ end }) => end.kind !== 'closed').length;
  return [
    `${openingsMs.length} of ${options.connections} connections opened`,
    `${bad} failed`,
    `${sum(({ sent }) => sent)} of ${options.connections * options.messages} messages sent`,
    `${sum(({ responded }) => responded)} responses`,
  ].join(', ');
}

async function runConnection(run: Run, client: number): Promise<EndedConnection> {
  const { target, options, signal } = run;
  const counter = new MessageCounter(options.expectation);
  run.counters.push(counter);
  const closed = new AbortController();
  let closeCode: number | undefined;
  let onResponse: () => void = () => undefined;
  const startedMs = performance.now();
  const events = {
    onMessage: (text: string) => {
      const ms = counter.receive(text, performance.now());
      if (ms !== undefined) run.latenciesMs.push(ms);
      onResponse();
    },
    onClose: (code: number) => {
      closeCode = code;
      closed.abort();
    },
  };
  const { socket, problem = 'it did not open' } = await openWebSocket(target, events, signal);
  if (!socket) {
    // One that was under way when a person stopped the load has not failed.
    const end: ConnectionEnd = signal.aborted ? { kind: 'closed' } : { kind: 'notOpened', problem };
    return { end, count: counter.count(signal.aborted) };
  }
  run.openingsMs.push(performance.now() - startedMs);
  const either = AbortSignal.any([signal, closed.signal]);
  await sendAll(run, client, counter, (text) => socket.send(text), either);
  await untilResponded(counter, (look) => (onResponse = look), target.timeoutMs, either);
  const count = counter.count(signal.aborted && closeCode === undefined);
  if (closeCode !== undefined) {
    const why = closeCode === 1006 ? 'closed without a Close frame (1006)' : `closed with ${closeCode}`;
    return { end: { kind: 'dropped', problem: why }, count };
  }
  await closeInOrder(socket);
  return { end: { kind: 'closed' }, count };
}

/** Each message when it is due, whether or not the earlier ones have got a response. */
async function sendAll(
  { options }: Run,
  client: number,
  counter: MessageCounter,
  send: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const startedMs = performance.now();
  for (let index = 0; index < options.messages && !signal.aborted; index += 1) {
    const waitMs = startedMs + index * options.intervalMs - performance.now();
    if (waitMs > 0) await pause(waitMs, signal);
    if (signal.aborted) return;
    // A number of the whole load: what a server sends to other clients, too, is then known for what it is.
    const number = (client - 1) * options.messages + index + 1;
    const text = fillMessage(options.message, client, number);
    counter.send(number, text, performance.now());
    send(text);
  }
}

function fillMessage(template: string, client: number, number: number): string {
  return template
    .replaceAll('{client}', String(client))
    .replaceAll('{n}', String(number))
    .replaceAll('{time}', new Date().toISOString());
}

function untilResponded(
  counter: MessageCounter,
  watch: (look: () => void) => void,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (!counter.hasOpen) return Promise.resolve();
  const done = new AbortController();
  watch(() => {
    if (!counter.hasOpen) done.abort();
  });
  return pause(timeoutMs, AbortSignal.any([signal, done.signal]));
}

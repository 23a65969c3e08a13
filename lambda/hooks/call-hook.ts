import { CutoverRun } from '../../core/cutover/run';
import { HookWord, isOwnWord, readHookWord, readRetryAfter } from '../../core/cutover/hook-word';
import { HookResult, PendingHook, PhaseHookCall, buildCall } from '../../core/cutover/hooks';
import { findDirection } from '../../core/plan/direction';
import type { PhaseHook } from '../../core/plan/phase-hooks';
import type { Side } from '../../core/traffic/weights';
import type { Ports, UrlResponse } from '../contract/ports';
import { settle, settleWithin } from '../contract/settle';
import type { SwitchTask, TaskSession } from '../contract/switch-ports';

/** Of a call that got no response of the hook. Its key lets the hook know it again. */
const MAX_TRIES = 3;
const PAUSE_MS = 500;
/** What a timer may be early. */
const CLOCK_MS = 20;
/** Another try with less is none. */
const MIN_TRY_MS = 250;
/** Of the tasks that a backend is called through, one after the other. */
const MAX_TASKS = 3;
/** What stands between us and the hook, or the hook itself, asks to try it again. */
const TRANSIENT = [429, 502, 503, 504];
const ACCEPTED = 202;

type Asked = { readonly word: HookWord } | { readonly noResponse: string };

export interface CallOptions {
  readonly signal: AbortSignal;
  readonly limitMs?: number;
}

/**
 * Calls a hook within its limit. What is no response of the hook is tried again while there is time.
 *
 * @param limitMs shorter than its own where a step has less time
 * @param signal of a step that has ended: no further try is made when its process goes on
 */
export async function callHook(
  run: CutoverRun,
  pending: PendingHook,
  ports: Ports,
  { signal, limitMs = pending.hook.timeoutSeconds * 1000 }: CallOptions,
): Promise<HookResult> {
  const call = buildCall(run, pending);
  const startedMs = performance.now();
  const seconds = () => (performance.now() - startedMs) / 1000;
  const late = `no response within ${Math.round(limitMs / 100) / 10} s`;
  for (let tries = 1; ; tries += 1) {
    const leftMs = Math.max(1, Math.floor(limitMs - (performance.now() - startedMs)));
    const asked = await settleWithin(leftMs, 'a hook', () =>
      ask(pending.hook, call, { run, ports, timeoutMs: leftMs }),
    );
    if ('value' in asked && 'word' in asked.value) return { ...asked.value.word, seconds: seconds() };
    const spareMs = limitMs - (performance.now() - startedMs) - PAUSE_MS;
    const got = 'problem' in asked ? asked.problem : (asked.value as { noResponse: string }).noResponse;
    if (spareMs + PAUSE_MS <= CLOCK_MS) return { problem: late, seconds: seconds() };
    if (signal.aborted || tries === MAX_TRIES || spareMs < MIN_TRY_MS) return { problem: got, seconds: seconds() };
    await ports.pause(PAUSE_MS);
  }
}

interface Means {
  readonly run: CutoverRun;
  readonly ports: Ports;
  readonly timeoutMs: number;
}

/** @throws Error when there is no response */
async function ask(hook: PhaseHook, call: PhaseHookCall, means: Means): Promise<Asked> {
  const { functionArn, http, url } = hook;
  const { ports, timeoutMs } = means;
  if (functionArn !== undefined) {
    return { word: readHookWord(call, await ports.functions.invoke(functionArn, call, timeoutMs)) };
  }
  const body = JSON.stringify(call);
  const response =
    url === undefined
      ? await callBackend(http!, { method: 'POST', body }, means)
      : await ports.urls.send(url, { method: 'POST', body, key: findIdempotencyKey(call), timeoutMs });
  return read(call, response, ports.now());
}

/** What keeps the responses by it must not give the last not yet once more. */
function findIdempotencyKey({ key, call }: PhaseHookCall): string {
  return call === 1 ? key : `${key}/${call}`;
}

function read(call: PhaseHookCall, { status, retryAfter, body }: UrlResponse, nowMs: number): Asked {
  const response = parseJson(body);
  if (status === 200 || isOwnWord(response)) return { word: readHookWord(call, response ?? body) };
  if (status === ACCEPTED && retryAfter !== undefined) return { word: readRetryAfter(retryAfter, nowMs) };
  const problem = `it must respond with 200, got ${status}`;
  return TRANSIENT.includes(status) ? { noResponse: problem } : { word: { problem } };
}

/**
 * Calls the backend of a side through a proxy of this side: a task that does not respond is no word of the backend, and the next one is
 * asked.
 *
 * @throws Error when there is no response of the backend
 */
export async function callBackend(
  { side, path }: NonNullable<PhaseHook['http']>,
  { method, body }: { readonly method: 'POST' | 'OPTIONS'; readonly body?: string },
  { run: { plan }, ports, timeoutMs }: Means,
): Promise<UrlResponse> {
  const to = findDirection(plan)[side];
  const epoch = plan.switch ? (await ports.switches.readRegime()).regime.committed : 0;
  const tasks = await ports.proxies.open();
  try {
    let problem = `no proxy task of the ${to} to call it through`;
    const order = { to, method, path, host: ports.smoke.host, epoch, timeoutMs };
    for (const session of chooseSessions(tasks, to)) {
      const asked = await settle(() => session.callBackend({ ...order, ...(body !== undefined && { body }) }));
      if ('problem' in asked) problem = asked.problem;
      else if (asked.value.status === undefined) throw new Error(asked.value.upstreamProblem ?? 'no response');
      else return { ...asked.value, status: asked.value.status, body: asked.value.body ?? '' };
    }
    throw new Error(problem);
  } finally {
    for (const { session } of tasks) session?.close();
  }
}

function chooseSessions(tasks: readonly SwitchTask[], side: Side): TaskSession[] {
  return tasks.flatMap(({ home, session }) => (home === side && session ? [session] : [])).slice(0, MAX_TASKS);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

import { oneLine } from '../text/one-line';
import { own } from '../validation/own';

/** What a hook said. Neither of one that passed. */
export interface HookWord {
  /** Why it did not pass. */
  readonly problem?: string;
  /** It has said not yet, and is called again after so long. */
  readonly delaySeconds?: number;
}

const STATUSES = ['SUCCEEDED', 'FAILED', 'IN_PROGRESS'];
/**
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/lambda-lifecycle-hooks.html
 */
const DEFAULT_DELAY_SECONDS = 30;
const MAX_DELAY_SECONDS = 86_400;
/** Of what a hook responded. */
const MAX_SHOWN = 200;

/**
 * Reads what a hook responded: `{"ok": true, "key": "…"}` with the key of the call, or `{"ok": false, "why": "…"}`; or the words of a
 * lifecycle hook of ECS, `{"hookStatus": "SUCCEEDED" | "FAILED"}` and `{"hookStatus": "IN_PROGRESS", "callBackDelay": 60}`, in seconds.
 * Everything else is no response of a hook: a page for all paths would be one otherwise.
 */
export function readHookWord({ key }: { readonly key: string }, response: unknown): HookWord {
  const said = asRecord(response);
  const [ok, of, why] = [own(said, 'ok'), own(said, 'key'), own(said, 'why')];
  if (Object.hasOwn(said, 'hookStatus')) return readStatus(key, said);
  if (ok === false && typeof why === 'string') return sayNo(why);
  if (ok === true && of === key) return {};
  return { problem: `it must respond {"ok":true,"key":"${key}"}, got ${show(response)}` };
}

function readStatus(key: string, said: Readonly<Record<string, unknown>>): HookWord {
  const [status, of, why] = [own(said, 'hookStatus'), own(said, 'key'), own(said, 'why')];
  if (Object.hasOwn(said, 'ok')) return { problem: "it must respond either 'ok' or 'hookStatus', got both" };
  if (typeof status !== 'string' || !STATUSES.includes(status)) {
    return { problem: `'hookStatus' must be one of ${STATUSES.join(', ')}, got ${show(JSON.stringify(status))}` };
  }
  if (status === 'FAILED') return sayNo(typeof why === 'string' ? why : 'FAILED');
  // A hook of ECS knows no key.
  if (of !== undefined && of !== key) return { problem: `'key' must be ${key}, got ${show(of)}` };
  return status === 'SUCCEEDED'
    ? {}
    : readDelay('callBackDelay', { callBackDelay: DEFAULT_DELAY_SECONDS, ...said }.callBackDelay);
}

function readDelay(name: string, value: unknown): HookWord {
  if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_DELAY_SECONDS) {
    return { delaySeconds: Number(value) };
  }
  return {
    problem: `'${name}' must be an integer from 1 to ${MAX_DELAY_SECONDS} s, got ${show(JSON.stringify(value))}`,
  };
}

/** RFC 9110, 5.6.7: of the three forms the only one that may be sent. */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * The `Retry-After` of a 202, which says not yet: seconds, or a date of HTTP.
 *
 * @see RFC 9110, 10.2.3
 */
export function readRetryAfter(value: string, nowMs: number): HookWord {
  if (/^\d{1,9}$/.test(value)) return readDelay('Retry-After', Math.max(1, Number(value)));
  const atMs = HTTP_DATE.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(atMs)) return { problem: `'Retry-After' must be seconds or a date of HTTP, got ${show(value)}` };
  return readDelay('Retry-After', Math.max(1, Math.ceil((atMs - nowMs) / 1000)));
}

/** Whether it is a hook's own no or not yet: they count whatever the status of its response. */
export function isOwnWord(response: unknown): boolean {
  const said = asRecord(response);
  const status = own(said, 'hookStatus');
  if (status === 'FAILED' || status === 'IN_PROGRESS') return true;
  return own(said, 'ok') === false && typeof own(said, 'why') === 'string';
}

function sayNo(why: string): HookWord {
  return { problem: `it said no: ${oneLine(why, MAX_SHOWN)}` };
}

function show(response: unknown): string {
  const shown = typeof response === 'string' ? response : (JSON.stringify(response) ?? 'nothing');
  return oneLine(shown, MAX_SHOWN);
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

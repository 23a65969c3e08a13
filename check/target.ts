import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';

/** Calls back when so much time has passed, unless it is cleared. */
export type StartLimit = (ms: number, late: () => void) => { clear(): void };

/** What is checked, and how it is reached. */
export interface CheckTarget {
  readonly url: URL;
  /** That a person gave, by their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly subprotocols: readonly string[];
  /** Do not check certificates. */
  readonly insecure: boolean;
  /** For each request, handshake or response. */
  readonly timeoutMs: number;
  /** By which clock. @default - the wall's */
  readonly startLimit?: StartLimit;
}

export const byTheWall: StartLimit = (ms, late) => {
  const timer = setTimeout(late, ms);
  return { clear: () => clearTimeout(timer) };
};

/** As reports have it: a query may hold a token. */
export function showUrl({ protocol, host, pathname, search }: URL): string {
  return `${protocol}//${host}${pathname}${search === '' ? '' : '?…'}`;
}

/** The headers of a request: those that a person gave, with the cookies of a jar behind theirs. */
export function withCookies(given: CheckTarget['headers'], cookie: string | undefined): OutgoingHttpHeaders {
  const all = [given.cookie, cookie].filter((each) => each !== undefined);
  return { ...given, ...(all.length > 0 && { cookie: all.join('; ') }) };
}

export function readHeader(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** What an error says; those of Node without words have a code. */
export function showError(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return showError(error.errors[0]);
  const { message, code } = error as NodeJS.ErrnoException;
  return message === '' ? (code ?? 'an error') : message;
}

/** After some milliseconds, or as soon as the signal is aborted. */
export function pause(ms: number, signal: AbortSignal, startLimit: StartLimit = byTheWall): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      limit.clear();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const limit = startLimit(ms, end);
    signal.addEventListener('abort', end, { once: true });
  });
}

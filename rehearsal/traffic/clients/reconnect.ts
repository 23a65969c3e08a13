import type { HttpResponse } from '../transport/transport';

const MAX_REJECTION_MS = 2_000;

/** A few 100 ms, never the same for two clients. */
export function reconnectMs(): number {
  return 200 + Math.random() * 300;
}

/**
 * For how long a 503 with Retry-After asks to wait, in ms, with jitter and capped; undefined when the response is no such
 * rejection.
 */
export function rejectedForMs({ status, headers }: Pick<HttpResponse, 'status' | 'headers'>): number | undefined {
  const seconds = Number.parseInt(String(headers['retry-after'] ?? ''), 10);
  if (status !== 503 || Number.isNaN(seconds)) return undefined;
  return Math.min(seconds * 1000, MAX_REJECTION_MS) + Math.random() * 300;
}

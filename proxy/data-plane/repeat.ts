import type { RequestHead } from './data-plane';
import type { Framing } from './fields';
import type { ConnectionChoice } from './upstream-pool';

/** RFC 9110 section 9.2.2, of which a proxy may send again what had no body. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** Whether a request may be sent a second time, if its connection was stale. */
export function mayRepeat(head: RequestHead, framing: Framing, repeatsStale: boolean): boolean {
  return repeatsStale && framing === 'none' && IDEMPOTENT.has(head.method);
}

/** The connection that a request takes at first. */
export function firstChoice(head: RequestHead, framing: Framing, repeatsStale: boolean): ConnectionChoice {
  if (head.isUpgrade) return 'fresh';
  // Whoever is to see stale connections is not kept from them.
  return mayRepeat(head, framing, repeatsStale) || !repeatsStale ? 'shared' : 'young';
}

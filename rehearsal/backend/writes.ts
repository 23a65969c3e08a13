import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { json } from 'node:stream/consumers';
import type { Side } from '../../core/traffic/weights';
import { LogLine, sharedClockMs } from '../writes/write-log';
import type { ShopResponse } from './shop';
import type { Store } from './store-state';

/** A write takes a moment: two that overlap are seen to. */
const WORK_MS = 2;

/** The key of a side's own log in the store that both share; it stays when the backend dies. */
export function logKey(side: Side): string {
  return `writes:${side}`;
}

/**
 * `POST /writes` `{"client":"…","n":1}`: gives each write its number in the log of its side, and responds to it.
 */
export async function write(request: IncomingMessage, side: Side, store: Store): Promise<ShopResponse> {
  const beganMs = sharedClockMs();
  const body = (await json(request).catch(() => undefined)) as { client?: unknown; n?: unknown } | undefined;
  const { client, n } = body ?? {};
  if (typeof client !== 'string' || typeof n !== 'number') {
    return { status: 400, body: { error: "'client' must be a string and 'n' a number" } };
  }
  await delay(WORK_MS);
  const epoch = Number(request.headers['x-drainshift-epoch']);
  const begin = { client, n, beganMs, ...(Number.isInteger(epoch) && { epoch }) };
  const number = await note(store, side, { begin });
  await note(store, side, { end: { number, endedMs: sharedClockMs() } });
  return { status: 200, body: { client, n, side, number } };
}

function note(store: Store, side: Side, line: LogLine): Promise<number> {
  return store.log(logKey(side), JSON.stringify(line));
}

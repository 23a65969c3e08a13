import type { Logger } from 'pino';
import type { DecisionStore } from '../../core/switch/decision-store';
import { FIRST_REGIME, startUnder } from '../../core/switch/regime';
import type { Side } from '../../core/traffic/weights';
import type { StartedUnder } from '../control/proxy';
import type { Clock } from '../process/clock';

/** Between two attempts to read the regime: from, up to. */
const RETRY_MS = { min: 100, max: 2_000 } as const;

/**
 * Reads the regime, for as long as it takes: a proxy that does not know which side serves must not be healthy.
 *
 * @throws Error when `stopped` comes first
 */
export async function readStart(
  store: DecisionStore,
  side: Side,
  { clock, log, stopped }: { clock: Clock; log: Pick<Logger, 'warn'>; stopped: AbortSignal },
): Promise<StartedUnder> {
  for (let failures = 0; ; failures += 1) {
    stopped.throwIfAborted();
    try {
      const regime = (await store.readRegime()) ?? FIRST_REGIME;
      return { store, under: startUnder(regime, side, clock.nowMs()) };
    } catch (err) {
      log.warn({ err }, 'The regime could not be read: the proxy does not listen before it is known');
    }
    const ms = Math.min(RETRY_MS.max, RETRY_MS.min * 2 ** failures);
    await new Promise<void>((resolve) => {
      const cancel = clock.after(ms, resolve);
      stopped.addEventListener('abort', () => (cancel(), resolve()), { once: true });
    });
  }
}

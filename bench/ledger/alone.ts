import { nextLine, startScript } from '../load/script';
import type { Workplace } from '../processes/workplace';

/** Measures the ledger by itself, on the proxy's core. */
export async function runLedgerAlone(place: Workplace): Promise<{ nanoseconds: number } | { problem: string }> {
  const { proxyCore } = place.placement;
  const cores = proxyCore === undefined ? undefined : String(proxyCore);
  const script = startScript<{ nanoseconds: number }>(place, 'ledger/operation', {}, { cores });
  try {
    return await nextLine(script);
  } catch (error) {
    return { problem: (error as Error).message };
  } finally {
    await script.child.kill();
  }
}

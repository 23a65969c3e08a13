import type { FixedRateLoad } from '../load/fixed-rate';
import { runLoadScript } from '../load/http-load';
import type { Peer } from '../peers/peer';
import { PATHS } from '../upstream/paths';
import { Meter } from './meter';
import type { Row, RowRun, Sample } from './row';

const CONNECTIONS = 64;
/** Below this share of the rate the proxy did not keep up, and its latency says only for how long it was asked. */
const KEPT_UP = 0.98;

export const latencyRow: Row = {
  name: 'p99',
  title: "p99 at half of nginx's maximum",
  unit: 'ms',
  better: 'lower',
  measure: measureLatency,
};

async function measureLatency(run: RowRun, peer: Peer): Promise<Sample> {
  const rate = await run.fixedRate();
  const { port, child } = await run.instances.of(peer, 'http');
  const meter = new Meter(child.pid, run.place.placement.proxyCore);
  const load: FixedRateLoad = {
    port,
    path: PATHS.small,
    rate,
    connections: CONNECTIONS,
    warmupSeconds: run.warmupSeconds / 2,
    seconds: run.seconds,
  };
  const result = await runLoadScript(run.place, 'load/fixed-rate', load, meter.atMark);
  const done = result.requests / result.seconds / rate;
  const rateText = `${(rate / 1000).toFixed(1)}k/s, p50 ${result.p50Ms?.toFixed(2)} ms`;
  const note = done < KEPT_UP ? `did ${(done * 100).toFixed(0)} % of ${rateText}` : rateText;
  return { value: result.p99Ms ?? Number.NaN, errors: result.errors, note, ...meter.costs(result) };
}

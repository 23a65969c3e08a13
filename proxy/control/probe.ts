import net from 'node:net';
import type { ProbeOrder, ProbeReport } from '../../core/proxy/probe';
import type { DecisionStore } from '../../core/switch/decision-store';
import type { Upstream } from '../data-plane/contract/data-plane';
import { Upstreams, requestUpstream } from '../backend-calls/own-request';

const PROBE_MS = 3_000;
/** No switch has this epoch: a task shows with it that it may write a decision. */
const CHECK_EPOCH = 0;

/** Tries what a switch needs of this task: the upstream of a side, and the store. Nothing of it is kept. */
export async function probe(
  { to, path, host, isOfBackendAlone }: ProbeOrder,
  { upstreams, store }: { readonly upstreams: Upstreams; readonly store: DecisionStore | undefined },
): Promise<ProbeReport> {
  const startedMs = performance.now();
  const [upstream, stored] = await Promise.all([
    settle(() => askUpstream(upstreams[to], path, host)),
    settle(() => (isOfBackendAlone ? Promise.resolve() : checkStore(store))),
  ]);
  return {
    wallMs: Date.now(),
    tookMs: Math.round(performance.now() - startedMs),
    ...('value' in upstream ? { status: upstream.value } : { upstreamProblem: upstream.problem }),
    ...('problem' in stored && { storeProblem: stored.problem }),
  };
}

async function checkStore(store: DecisionStore | undefined): Promise<void> {
  if (!store) throw new Error("'switch_store' must be configured, got nothing");
  await Promise.all([
    store.readRegime(),
    store.propose(CHECK_EPOCH, { outcome: 'abort', by: 'preflight', why: 'a task shows that it may write' }),
  ]);
}

/** @returns the status of the response; 0 of an upstream that speaks no HTTP/1.1, and that could be connected to */
async function askUpstream(upstream: Upstream | undefined, path: string, host: string | undefined): Promise<number> {
  if (!upstream) throw new Error("'other_upstream' must be configured, got nothing");
  if (upstream.isHttp2) return connect(upstream);
  const headers = { 'user-agent': 'drainshift-probe', ...(host !== undefined && { host }) };
  return (await requestUpstream(upstream, { method: 'GET', path, headers, timeoutMs: PROBE_MS })).status;
}

function connect({ host, port, localAddress }: Upstream): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, localAddress, timeout: PROBE_MS });
    socket.once('error', reject).once('timeout', () => socket.destroy(new Error('it must accept a connection')));
    socket.once('connect', () => {
      socket.destroy();
      resolve(0);
    });
  });
}

async function settle<T>(call: () => Promise<T>): Promise<{ value: T } | { problem: string }> {
  try {
    return { value: await call() };
  } catch (error) {
    return { problem: error instanceof Error ? error.message || error.name : String(error) };
  }
}

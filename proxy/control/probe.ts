import http, { IncomingMessage } from 'node:http';
import https from 'node:https';
import net from 'node:net';
import type { ProbeOrder, ProbeReport } from '../../core/proxy/probe';
import type { DecisionStore } from '../../core/switch/decision-store';
import type { Upstream } from '../data-plane/contract/data-plane';
import type { Upstreams } from './retarget';

const PROBE_MS = 3_000;
/** No switch has this epoch: a task shows with it that it may write a decision. */
const CHECK_EPOCH = 0;

/** Tries what a switch needs of this task: the upstream of a side, and the store. Nothing of it is kept. */
export async function probe(
  { to, path, host }: ProbeOrder,
  { upstreams, store }: { readonly upstreams: Upstreams; readonly store: DecisionStore | undefined },
): Promise<ProbeReport> {
  const startedMs = performance.now();
  const [upstream, stored] = await Promise.all([
    settle(() => askUpstream(upstreams[to], path, host)),
    settle(() => checkStore(store)),
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
function askUpstream(upstream: Upstream | undefined, path: string, hostField: string | undefined): Promise<number> {
  if (!upstream) return Promise.reject(new Error("'other_upstream' must be configured, got nothing"));
  const { protocol, host, port, serverName, verifyCertificate, authorities, localAddress } = upstream;
  if (upstream.isHttp2) return connect({ host, port, localAddress });
  const options = {
    ...{ host, port, path, localAddress, agent: false },
    method: 'GET',
    timeout: PROBE_MS,
    headers: { 'user-agent': 'drainshift-probe', ...(hostField !== undefined && { host: hostField }) },
  };
  const trust = { servername: serverName, rejectUnauthorized: verifyCertificate !== false, ca: authorities };
  return new Promise((resolve, reject) => {
    const heard = (response: IncomingMessage) => {
      response.resume();
      response.once('error', reject).once('end', () => resolve(response.statusCode ?? 0));
    };
    const request =
      protocol === 'https' ? https.request({ ...options, ...trust }, heard) : http.request(options, heard);
    const late = () => request.destroy(new Error(`it must respond within ${PROBE_MS / 1000} s, got no response`));
    request.once('error', reject).once('timeout', late).end();
  });
}

function connect(to: { host: string; port: number; localAddress?: string }): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ ...to, timeout: PROBE_MS });
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

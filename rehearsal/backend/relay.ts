import { completeTimeouts } from '../../core/proxy/settings/setting-names';
import type { Side } from '../../core/traffic/weights';
import type { Decision, RequestHead, Upstream } from '../../proxy/data-plane/contract/data-plane';
import { Ledger } from '../../proxy/data-plane/contract/ledger';
import { trustingLimits } from '../../proxy/data-plane/contract/limits';
import { createDataPlane } from '../../proxy/data-plane/engine/engine';
import { seededRandom } from '../load-balancer/random';
import { announceReady, entryOptions } from '../processes/entry';
import {
  HOOK_BODIES,
  RESUME_HEADER,
  TOKEN_HEADER,
  isHookCall,
  type Degraded,
  type HookFault,
  type RelayOptions,
} from './faulty-side';

// Entry: stands before a backend, ours or a user's own, in a process of its own: killed or stopped it is a side that died or
// hangs, and what it is told makes responses wrong or late.

const { side, url, seed } = entryOptions<RelayOptions>();
const random = seededRandom(seed);
const upstream = findUpstream(url);
let degraded: Degraded = {};

process.on('message', (message: Degraded) => (degraded = message));
process.once('SIGTERM', () => void plane.close().then(() => process.exit(0)));

const plane = createDataPlane({
  ledger: new Ledger(),
  route: (request) => later(decide(request), findDelayMs(request)),
  failureResponse: () => ({ status: 502 }),
  timeouts: completeTimeouts(),
  limits: trustingLimits(),
});
void plane.listen({ host: '127.0.0.1', port: 0 }).then(({ host, port }) => {
  announceReady({ url: `http://${host}:${port}` });
});

/** WebSockets are no matter of statuses. */
function decide(request: RequestHead): Decision {
  const { isUpgrade, method } = request;
  const { errorShare = 0, hook, resumption } = degraded;
  if (hook && isHookCall(method, request.field('user-agent'))) return breakHook(hook);
  if (resumption === 'rejected' && isMove(request)) return { response: { status: 410 } };
  if (isUpgrade || random() >= errorShare) return { forward: { upstream, requestHeaders: passResumption(request) } };
  const headers = { 'content-type': 'text/plain', 'x-backend': side satisfies Side };
  return { response: { status: 500, headers, body: 'a fault of the rehearsal\n' } };
}

/** A proxy moves a connection to the backend behind it. */
function isMove(request: RequestHead): boolean {
  return request.field(RESUME_HEADER) !== undefined;
}

function findDelayMs(request: RequestHead): number {
  const { delayMs = 0, resumption } = degraded;
  return typeof resumption === 'number' && isMove(request) ? delayMs + resumption : delayMs;
}

/** Only proxies call it: these fields, which no client may send, are its own. */
function passResumption(request: RequestHead): Record<string, string | undefined> {
  return { [RESUME_HEADER]: request.field(RESUME_HEADER), [TOKEN_HEADER]: request.field(TOKEN_HEADER) };
}

function breakHook(hook: HookFault): Decision {
  if (hook === 'hangs') return { hold: () => () => undefined };
  return { response: { status: 200, headers: { 'content-type': 'application/json' }, body: HOOK_BODIES[hook] } };
}

function later(decision: Decision, ms: number): Decision {
  if (ms === 0) return decision;
  return {
    hold: (resume) => {
      const timer = setTimeout(() => resume(decision), ms);
      return () => clearTimeout(timer);
    },
  };
}

function findUpstream(from: string): Upstream {
  const { protocol, hostname, port } = new URL(from);
  const isSecure = protocol === 'https:';
  return {
    protocol: isSecure ? 'https' : 'http',
    host: hostname,
    port: port === '' ? (isSecure ? 443 : 80) : Number(port),
  };
}

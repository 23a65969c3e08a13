import type { Side } from '../../core/traffic/weights';
import { completeTimeouts } from '../../core/proxy/settings/setting-names';
import { trustingLimits } from '../../proxy/data-plane/contract/limits';
import { createDataPlane } from '../../proxy/data-plane/engine/engine';
import type { Upstream } from '../../proxy/data-plane/contract/data-plane';
import { Ledger } from '../../proxy/data-plane/contract/ledger';
import { seededRandom } from '../load-balancer/random';

/** The faults that can be asked for, each with what it does. */
export const FAULTS = {
  'target-errors': 'from the first shift on, the target responds to 3 of 10 requests with 500',
  'proxy-crash-loop': "from the first shift on, each of the target's proxies is killed soon after it has started",
  alarm: 'once the first stage is shifted, the first alarm that the cutover watches is in ALARM',
  stop: 'in the first bake, the execution is stopped as in the console, which runs no Catch',
} as const;

export type Fault = keyof typeof FAULTS;

const ERROR_SHARE = 0.3;

/** A relay in front of a backend, ours or a user's own, that begins to respond with errors when it is told to. */
export interface FaultyRelay {
  readonly url: string;
  begin(): void;
  stop(): Promise<void>;
}

export async function startFaultyRelay(side: Side, backendUrl: string, seed: number): Promise<FaultyRelay> {
  const random = seededRandom(seed);
  const upstream = findUpstream(backendUrl);
  let failing = false;
  const plane = createDataPlane({
    ledger: new Ledger(),
    route: ({ isUpgrade }) => {
      if (!failing || isUpgrade || random() >= ERROR_SHARE) return { forward: { upstream } };
      return {
        response: {
          status: 500,
          headers: { 'content-type': 'text/plain', 'x-backend': side },
          body: 'fault: target-errors\n',
        },
      };
    },
    failureResponse: () => ({ status: 502 }),
    timeouts: completeTimeouts(),
    limits: trustingLimits(),
  });
  const { host, port } = await plane.listen({ host: '127.0.0.1', port: 0 });
  return { url: `http://${host}:${port}`, begin: () => (failing = true), stop: () => plane.close() };
}

function findUpstream(url: string): Upstream {
  const { protocol, hostname, port } = new URL(url);
  const secure = protocol === 'https:';
  return {
    protocol: secure ? 'https' : 'http',
    host: hostname,
    port: port === '' ? (secure ? 443 : 80) : Number(port),
  };
}

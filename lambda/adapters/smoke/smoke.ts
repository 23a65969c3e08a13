import { isIPv6 } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { oneLine } from '../../../core/text/one-line';
import { own } from '../../../core/validation/own';
import type { SmokeRequest as PlannedRequest } from '../../../core/plan/plan';
import { findResponse } from '../../../core/plan/smoke';
import { Side } from '../../../core/traffic/weights';
import { CutoverConfig } from '../../../core/cutover/cutover-config';
import { CutoverError } from '../../../core/errors/errors';
import type { Probe, SmokePort } from '../../contract/ports';
import { Settled, settle } from '../../contract/settle';
import { authoritiesIn } from './authorities';
import { CLIENT_CONFIG } from '../client/client-config';
import { timeLeftMs } from '../../contract/time-left';
import { limited } from '../client/limited';
import { LOAD_BALANCER_MS } from '../load-balancer/load-balancer';
import { callByGrpc, getByHttp2 } from './smoke-http2';
import { PlacesConfig, SmokePlace, listenersIn, targetsIn } from './smoke-places';
import { SMOKE_TIMEOUT_MS, SmokeResponse, SmokeRequest, get } from './smoke-request';

/**
 * How a group is asked, by its ProtocolVersion: one of HTTP/2 or gRPC has 464 for anything else, and HTTP/1.1 passes the
 * load balancers that speak no HTTP/2 to clients (`routing.http2.enabled`).
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html#target-group-protocol-version
 */
const WAYS: Readonly<Record<string, (to: SmokeRequest) => Promise<SmokeResponse>>> = {
  HTTP1: get,
  HTTP2: getByHttp2,
  GRPC: callByGrpc,
};

const ATTEMPTS = 3;
const ATTEMPT_PAUSE_MS = 500;
/** The longest that all attempts take together. */
const PROBE_MS = SMOKE_TIMEOUT_MS + (ATTEMPTS - 1) * ATTEMPT_PAUSE_MS;

/** What a smoke request needs of the cutover config. */
type SmokeConfig = PlacesConfig &
  Pick<CutoverConfig, 'domainName' | 'isSelfSigned' | 'trustedAuthoritiesArn' | 'smokeRoute'>;

/**
 * Smoke requests under the name that clients use. Through the load balancer's own address that name is sent as SNI and Host, and
 * the certificate must be good for it. To the targets themselves it is sent as the load balancer would: no name and no
 * authority vouches for a target there.
 *
 * While the authorities cannot be read, its name and dates alone count: a rollback needs the load balancer's API and nothing
 * else. The preflight and the proof ask by `checkTrust` first.
 */
export function smokePort(config: SmokeConfig): SmokePort {
  const client = limited('Elastic Load Balancing', new ElasticLoadBalancingV2Client(CLIENT_CONFIG), LOAD_BALANCER_MS);
  const { trustedAuthoritiesArn: arn } = config;
  const authorities = arn === undefined ? () => Promise.resolve(undefined) : authoritiesIn(arn);
  const places = config.smokeRoute === 'targets' ? targetsIn(client, config) : listenersIn(client, config);
  const probeOne = async (side: Side, place: SmokePlace, { path, expectedStatus }: PlannedRequest): Promise<Probe> => {
    const { version, ...address } = place;
    const way = own(WAYS, version);
    if (way === undefined)
      throw new Error(`the ${side}'s group must be one of ${Object.keys(WAYS).join(', ')}, got ${version}`);
    const { trust } = place;
    const trusted = trust ? { trust } : readTrust(config, await settle(authorities));
    // Cut short by the end of the step it would speak against the side.
    const leftMs = timeLeftMs();
    if (leftMs < PROBE_MS) {
      const rule = `a smoke request of the ${side} must begin ${PROBE_MS / 1000} s before the end of its step`;
      throw new CutoverError('AwsUnavailable', `${rule}, got ${Math.max(0, leftMs / 1000).toFixed(1)} s`);
    }
    return hedged(() => way({ ...address, ...trusted, path, name: config.domainName }), expectedStatus);
  };
  return {
    host: config.domainName,
    checkTrust: async () => void (await authorities()),
    probe: async (side, request, { quorum, maxAtOnce }) => {
      const all = await places(side);
      const asked = quorum === 'every' ? all : some(all, maxAtOnce);
      const probes = await inTurn(asked, maxAtOnce, async (place) => ({
        ...(await probeOne(side, place, request)),
        place,
      }));
      const [only] = probes;
      const attempts = probes.reduce((sum, probe) => sum + probe.attempts, 0);
      if (config.smokeRoute !== 'targets') return { got: only!.got, attempts };
      const responses = probes.map(({ place: { host, port }, got }) => ({ target: findAddress(host, port), got }));
      const notAsked = asked.length - probes.length;
      return { ...findResponse(responses, request.expectedStatus, quorum, notAsked), attempts };
    },
  };
}

function findAddress(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * So many at a time, each as soon as another one is through, and none that the step would cut short after those that were begun at
 * once.
 */
async function inTurn<T, R>(all: readonly T[], maxAtOnce: number, ask: (one: T) => Promise<R>): Promise<R[]> {
  const queue = all.values();
  const askNext = async (): Promise<R[]> => {
    const results: R[] = [];
    for (const one of queue) {
      results.push(await ask(one));
      if (timeLeftMs() < PROBE_MS) break;
    }
    return results;
  };
  return (await Promise.all(Array.from({ length: Math.min(maxAtOnce, all.length) }, askNext))).flat();
}

/** At random, so that each has its turn over the polls of a bake. */
function some<T>(all: readonly T[], max: number): readonly T[] {
  if (all.length <= max) return all;
  const drawn = all.map((each) => ({ each, lot: Math.random() })).sort((a, b) => a.lot - b.lot);
  return drawn.slice(0, max).map(({ each }) => each);
}

function readTrust(
  { isSelfSigned = false }: SmokeConfig,
  authorities: Settled<string | undefined>,
): Pick<SmokeRequest, 'trust' | 'authorities'> {
  if (isSelfSigned || !('value' in authorities)) return { trust: 'selfSigned' };
  return { trust: 'signed', authorities: authorities.value };
}

/**
 * The next attempt does not wait for the end of one that hangs. Every one that was started has ended before the result is
 * reported:
 * the proxies count them all, and one that is still under way would be a live connection of the side.
 */
async function hedged(attempt: () => Promise<SmokeResponse>, expectedStatus: number): Promise<Probe> {
  const probe = { got: 'no response' as SmokeResponse };
  const running: Promise<boolean>[] = [];
  const isGood = async () => {
    const got = await attempt();
    // A peer's own words, as the names in its certificate.
    probe.got = typeof got === 'string' ? oneLine(got) : got;
    if (probe.got !== expectedStatus) throw new Error('another status');
    return true;
  };
  const firstGood = () => Promise.any(running).catch(() => false);
  let isFirst = false;
  while (!isFirst && running.length < ATTEMPTS) {
    running.push(isGood());
    const waited = running.length === ATTEMPTS ? firstGood() : pause(ATTEMPT_PAUSE_MS, false);
    isFirst = await Promise.race([firstGood().then((good) => good || waited), waited]);
  }
  await Promise.allSettled(running);
  return { got: isFirst ? expectedStatus : probe.got, attempts: running.length };
}

import { own } from '../../core/own';
import { setTimeout as pause } from 'node:timers/promises';
import {
  DescribeListenersCommand,
  DescribeLoadBalancersCommand,
  DescribeTargetGroupsCommand,
  ElasticLoadBalancingV2Client,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { oneLine } from '../../core/one-line';
import { Side } from '../../core/weights';
import { CutoverWiring } from '../../core/wiring';
import { CutoverError } from '../../core/errors';
import type { Probe, SmokePort } from '../ports';
import { Settled, settle } from '../settle';
import { authoritiesIn } from './authorities';
import { CLIENT_CONFIG } from './client-config';
import { timeLeftMs } from '../time-left';
import { limited } from './limited';
import { LOAD_BALANCER_MS } from './load-balancer';
import { callByGrpc, getByHttp2 } from './smoke-http2';
import { SMOKE_TIMEOUT_MS, SmokeAnswer, SmokeRequest, get } from './smoke-request';

/**
 * How a group is asked, by its ProtocolVersion: one of HTTP/2 or gRPC has 464 for anything else, and HTTP/1.1 passes the
 * load balancers that speak no HTTP/2 to clients (`routing.http2.enabled`).
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html#target-group-protocol-version
 */
const WAYS: Readonly<Record<string, (to: SmokeRequest) => Promise<SmokeAnswer>>> = {
  HTTP1: get,
  HTTP2: getByHttp2,
  GRPC: callByGrpc,
};

const ATTEMPTS = 3;
const ATTEMPT_PAUSE_MS = 500;
/** The longest that all attempts take together. */
const PROBE_MS = SMOKE_TIMEOUT_MS + (ATTEMPTS - 1) * ATTEMPT_PAUSE_MS;

/** What of a cutover's wiring a smoke request needs. */
type SmokeWiring = Pick<
  CutoverWiring,
  'loadBalancerArn' | 'smokeListenerArns' | 'targetGroupArns' | 'domainName' | 'isSelfSigned' | 'trustedAuthoritiesArn'
>;

interface SmokePlace {
  readonly host: string;
  readonly port: number;
  /** HTTP1, HTTP2 or GRPC. */
  readonly version: string;
}

/**
 * Smoke requests to the load balancer's own address, under the name that clients use: that name is sent as SNI and Host,
 * and the certificate must be good for it.
 *
 * While the authorities cannot be read, its name and dates alone count: a rollback needs the load balancer's API and nothing
 * else. The preflight and the proof ask by `checkTrust` first.
 */
export function smokePort(wiring: SmokeWiring): SmokePort {
  const client = limited('Elastic Load Balancing', new ElasticLoadBalancingV2Client(CLIENT_CONFIG), LOAD_BALANCER_MS);
  const { trustedAuthoritiesArn: arn } = wiring;
  const authorities = arn === undefined ? () => Promise.resolve(undefined) : authoritiesIn(arn);
  let places: Promise<Record<Side, SmokePlace>> | undefined;
  return {
    checkTrust: async () => void (await authorities()),
    probe: async (side, { path, expectedStatus }) => {
      places ??= smokePlaces(client, wiring);
      // A failed look-up must not be remembered for the life of the function.
      places.catch(() => (places = undefined));
      const { version, ...address } = (await places)[side];
      const way = own(WAYS, version);
      if (way === undefined)
        throw new Error(`the ${side}'s group must be one of ${Object.keys(WAYS).join(', ')}, got ${version}`);
      const trust = trustOf(wiring, await settle(authorities));
      const to = { ...address, path, name: wiring.domainName, ...trust };
      // Cut short by the end of the step it would speak against the side.
      if (timeLeftMs() < PROBE_MS) {
        const rule = `a smoke request of the ${side} must begin ${PROBE_MS / 1000} s before the end of its step`;
        throw new CutoverError('AwsUnavailable', `${rule}, got less time left by Elastic Load Balancing`);
      }
      return hedged(() => way(to), expectedStatus);
    },
  };
}

function trustOf(
  { isSelfSigned = false }: SmokeWiring,
  authorities: Settled<string | undefined>,
): Pick<SmokeRequest, 'isSelfSigned' | 'authorities'> {
  return 'value' in authorities ? { isSelfSigned, authorities: authorities.value } : { isSelfSigned: true };
}

/**
 * The next attempt does not wait for the end of one that hangs. Every one that was begun has ended before the result is told:
 * the proxies count them all, and one that is still under way would be a live connection of the side.
 */
async function hedged(attempt: () => Promise<SmokeAnswer>, expectedStatus: number): Promise<Probe> {
  const probe = { got: 'no response' as SmokeAnswer };
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

/** Read from the load balancer and not from the template: what counts is what is in force. */
async function smokePlaces(
  client: ElasticLoadBalancingV2Client,
  { loadBalancerArn, smokeListenerArns, targetGroupArns }: SmokeWiring,
): Promise<Record<Side, SmokePlace>> {
  const [balancers, { Listeners = [] }, { TargetGroups = [] }] = await Promise.all([
    client.send(new DescribeLoadBalancersCommand({ LoadBalancerArns: [loadBalancerArn] })),
    client.send(new DescribeListenersCommand({ ListenerArns: Object.values(smokeListenerArns) })),
    client.send(new DescribeTargetGroupsCommand({ TargetGroupArns: Object.values(targetGroupArns) })),
  ]);
  const host = balancers.LoadBalancers?.[0]?.DNSName;
  if (host === undefined) throw new Error(`load balancer '${loadBalancerArn}' must have a DNS name, got none`);
  const place = (side: Side): SmokePlace => {
    const port = Listeners.find(({ ListenerArn }) => ListenerArn === smokeListenerArns[side])?.Port;
    if (port === undefined) throw new Error(`listener '${smokeListenerArns[side]}' must have a port, got none`);
    const group = TargetGroups.find(({ TargetGroupArn }) => TargetGroupArn === targetGroupArns[side]);
    return { host, port, version: group?.ProtocolVersion ?? 'HTTP1' };
  };
  return { source: place('source'), target: place('target') };
}

import { isIP } from 'node:net';
import {
  DescribeListenersCommand,
  DescribeLoadBalancersCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
  TargetDescription,
  TargetGroup,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { SIDES, Side } from '../../../core/traffic/weights';
import { CutoverConfig } from '../../../core/cutover/cutover-config';
import type { SmokeRequest } from './smoke-request';

/** Where a smoke request goes, and what is spoken there. */
export interface SmokePlace extends Pick<SmokeRequest, 'host' | 'port' | 'fields'> {
  /** HTTP1, HTTP2 or GRPC. */
  readonly version: string;
  /** Of a target; that of the listeners is in the cutover config. */
  readonly trust?: 'any' | 'plain';
}

export type PlacesConfig = Pick<CutoverConfig, 'loadBalancerArn' | 'smokeListenerArns' | 'targetGroupArns'>;

/** All places of a side; more than one where its targets are asked themselves. */
export type FindPlaces = (side: Side) => Promise<readonly SmokePlace[]>;

/** The listener of each side. Read from the load balancer and not from the template: what counts is what is in force. */
export function listenersIn(client: ElasticLoadBalancingV2Client, config: PlacesConfig): FindPlaces {
  const { loadBalancerArn, smokeListenerArns, targetGroupArns } = config;
  const places = remembered(Number.POSITIVE_INFINITY, async (): Promise<Record<Side, SmokePlace>> => {
    const [balancers, { Listeners = [] }, groups] = await Promise.all([
      client.send(new DescribeLoadBalancersCommand({ LoadBalancerArns: [loadBalancerArn] })),
      client.send(new DescribeListenersCommand({ ListenerArns: Object.values(smokeListenerArns) })),
      readGroups(client, config),
    ]);
    const host = balancers.LoadBalancers?.[0]?.DNSName;
    if (host === undefined) throw new Error(`load balancer '${loadBalancerArn}' must have a DNS name, got none`);
    const place = (side: Side): SmokePlace => {
      const port = Listeners.find(({ ListenerArn }) => ListenerArn === smokeListenerArns[side])?.Port;
      if (port === undefined) throw new Error(`listener '${smokeListenerArns[side]}' must have a port, got none`);
      return { host, port, version: groups.get(targetGroupArns[side])?.ProtocolVersion ?? 'HTTP1' };
    };
    return { source: place('source'), target: place('target') };
  });
  return async (side) => [(await places())[side]];
}

/**
 * What a load balancer adds to a request for `https://` and the name. Not X-Forwarded-For: a function does not know the address
 * that it has in the network, and the proxy adds it.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
 */
const FORWARDED = { 'x-forwarded-proto': 'https', 'x-forwarded-port': '443' } as const;

/** The requests of one poll are about the same targets. */
const TARGETS_MS = 1_000;

/**
 * Each healthy target of the side, at its own address. As the load balancer they are spoken to in what their group says, and
 * their certificates are not checked.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html#target-group-routing-configuration
 */
export function targetsIn(client: ElasticLoadBalancingV2Client, config: PlacesConfig): FindPlaces {
  const groups = remembered(Number.POSITIVE_INFINITY, () => readGroups(client, config));
  const find = async (side: Side): Promise<SmokePlace[]> => {
    const arn = config.targetGroupArns[side];
    const command = new DescribeTargetHealthCommand({ TargetGroupArn: arn });
    const [health, group] = await Promise.all([client.send(command), groups().then((all) => all.get(arn))]);
    if (!group) throw new Error(`target group '${arn}' must be there, got none`);
    const healthy = (health.TargetHealthDescriptions ?? []).filter(
      ({ TargetHealth: { State } = {} }) => State === 'healthy',
    );
    return healthy.map(({ Target }) => findPlace(Target, group));
  };
  const [source, target] = SIDES.map((side) => remembered(TARGETS_MS, () => find(side)));
  return (side) => (side === 'source' ? source : target)!();
}

function findPlace({ Id: host = '', Port: port = 0 }: TargetDescription = { Id: '' }, group: TargetGroup): SmokePlace {
  if (isIP(host) === 0) {
    throw new Error(`the targets of '${group.TargetGroupArn}' must be addresses to be asked themselves, got '${host}'`);
  }
  const trust = group.Protocol === 'HTTP' ? 'plain' : 'any';
  return { host, port, version: group.ProtocolVersion ?? 'HTTP1', trust, fields: FORWARDED };
}

async function readGroups(
  client: ElasticLoadBalancingV2Client,
  { targetGroupArns }: PlacesConfig,
): Promise<ReadonlyMap<string, TargetGroup>> {
  const command = new DescribeTargetGroupsCommand({ TargetGroupArns: Object.values(targetGroupArns) });
  const { TargetGroups = [] } = await client.send(command);
  return new Map(TargetGroups.map((group) => [group.TargetGroupArn ?? '', group]));
}

/** Asked once for all who ask within that time of each other; a failed look-up is not remembered for the life of the function. */
function remembered<T>(milliseconds: number, look: () => Promise<T>): () => Promise<T> {
  let last: { readonly found: Promise<T>; readonly atMs: number } | undefined;
  return () => {
    if (!last || Date.now() - last.atMs >= milliseconds) {
      const current = { found: look(), atMs: Date.now() };
      last = current;
      current.found.catch(() => {
        if (last === current) last = undefined;
      });
    }
    return last.found;
  };
}

import { Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { Cluster } from 'aws-cdk-lib/aws-ecs';
import {
  ApplicationListener,
  ApplicationLoadBalancer,
  ApplicationProtocol,
  ListenerAction,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { MigrationSide } from '../../../lib/traffic/migration-side';
import { ProxyService } from '../../../lib/proxy/proxy-service';
import { ProxyServiceProps } from '../../../lib/proxy/proxy-service-props';
import { StickyTargetGroup, StickyTargetGroupProps } from '../../../lib/load-balancer/sticky-target-group';
import { certificateIn, newStack, resourceLike } from '../fixture';

export const TASK = 'AWS::ECS::TaskDefinition';
export const SERVICE = 'AWS::ECS::Service';

/** Proxies with all that they need, and other props over it; `group` are those of their target group. */
export function newProxies(
  stack: Stack,
  props: Partial<ProxyServiceProps> = {},
  group: Partial<StickyTargetGroupProps> = {},
): ProxyService {
  const vpc = new Vpc(stack, 'Vpc');
  const targetGroup = new StickyTargetGroup(stack, 'Group', { vpc, ...group });
  listenFor(stack, vpc, targetGroup);
  return new ProxyService(stack, 'Proxies', {
    cluster: props.cluster ?? new Cluster(stack, 'Cluster', { vpc }),
    side: MigrationSide.SOURCE,
    upstreamUrl: 'http://old.internal:8080',
    targetGroup,
    adminSecret: new Secret(stack, 'Secret'),
    ...props,
  });
}

function listenFor(stack: Stack, vpc: Vpc, group: StickyTargetGroup): ApplicationListener {
  const loadBalancer = new ApplicationLoadBalancer(stack, 'LoadBalancer', { vpc });
  return loadBalancer.addListener('Listener', {
    protocol: ApplicationProtocol.HTTPS,
    certificates: [certificateIn(stack)],
    open: false,
    defaultAction: ListenerAction.forward([group.targetGroup]),
  });
}

export function findTemplate(
  props: Partial<ProxyServiceProps> = {},
  group: Partial<StickyTargetGroupProps> = {},
): Template {
  const stack = newStack();
  newProxies(stack, props, group);
  return Template.fromStack(stack);
}

export interface Container {
  readonly Name: string;
  readonly Environment: readonly { readonly Name: string; readonly Value: unknown }[];
  readonly Secrets: readonly { readonly Name: string; readonly ValueFrom: unknown }[];
  readonly StopTimeout: number;
}

/** The proxy's container. */
export function findContainer(template: Template): Container {
  const [, task] = resourceLike(template, TASK, /./);
  return (task.Properties.ContainerDefinitions as Container[])[0]!;
}

/** The environment of the proxy by its names. */
export function buildEnvironment(template: Template): Record<string, unknown> {
  return Object.fromEntries(findContainer(template).Environment.map(({ Name, Value }) => [Name, Value]));
}

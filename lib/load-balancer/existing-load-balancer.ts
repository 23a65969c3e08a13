import { Annotations } from 'aws-cdk-lib';
import { Construct } from 'constructs';

/** What a load balancer that is made here has, and what the owner of an existing one must take care of. */
const ATTRIBUTES = [
  'routing.http.preserve_host_header.enabled=true',
  'routing.http.desync_mitigation_mode=strictest',
  'routing.http.drop_invalid_header_fields.enabled=true',
  'an idle_timeout.timeout_seconds that fits your WebSockets',
  'access logs',
];

/** The props that are about the load balancer itself. */
const OWN_PROPS = [
  'accessLogBucket',
  'clientKeepAlive',
  'connectionLogs',
  'deletionProtection',
  'desyncMitigationMode',
  'dropInvalidHeaderFields',
  'idleTimeout',
  'ipAddressType',
  'logRetention',
  'vpcSubnets',
] as const;

export type OwnProp = (typeof OWN_PROPS)[number];

/** CloudFormation cannot change a load balancer that another stack, or a person, has made: its owner gets a warning. */
export function annotateExisting(owner: Construct, props: { readonly [name in OwnProp]?: unknown }): void {
  const ignored = OWN_PROPS.filter((name) => props[name] !== undefined);
  const also = ignored.length > 0 ? ` Without effect here: ${ignored.join(', ')}.` : '';
  Annotations.of(owner).addWarningV2(
    'drainshift:existingLoadBalancer',
    `An existing load balancer keeps its attributes. See to it that it has ${ATTRIBUTES.join(', ')}.${also}`,
  );
}

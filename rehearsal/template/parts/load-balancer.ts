import {
  Action,
  CONDITION_FIELDS,
  ElbModel,
  HealthCheck,
  Listener,
  Rule,
  RuleCondition,
  RuleTransform,
  TRANSFORM_TYPES,
  TargetGroup,
} from '../../load-balancer/model/model';
import { checkActions } from '../../load-balancer/model/rules';
import { checkTransforms } from '../../load-balancer/model/transforms';
import { UsageError } from '../../errors/usage-error';
import { Properties } from '../resources/properties';
import { Ready, Resources } from '../resources/resources';

const ELB = 'AWS::ElasticLoadBalancingV2';

/**
 * The load balancers, listeners, rules and target groups of a template.
 *
 * @param balancerArn of the cutover: a target group of another one is of a service that is not run here, and may have any attributes
 * @throws UsageError for what the service would reject at deployment, or what cannot be rehearsed
 */
export function buildElb(resources: Resources, balancerArn?: string): ElbModel {
  const model = new ElbModel();
  const isOurs = ({ properties }: Ready) => !isOfNetworkFront(properties);
  for (const { identity, properties } of resources.ofType(`${ELB}::LoadBalancer`).filter(isOurs)) {
    model.loadBalancers.set(identity.ref, {
      arn: identity.ref,
      name: identity.attributes.LoadBalancerName ?? '',
      dnsName: identity.attributes.DNSName ?? '',
      scheme: properties.string('Scheme', 'internet-facing') === 'internal' ? 'internal' : 'internet-facing',
      vpcId: 'vpc-rehearsal',
      subnetIds: properties.strings('Subnets'),
      securityGroups: properties.strings('SecurityGroups'),
      attributes: properties.pairs('LoadBalancerAttributes'),
      createdAt: new Date(),
    });
  }
  for (const group of resources.ofType(`${ELB}::TargetGroup`).filter(isOurs)) {
    const { TargetGroupName: name = '' } = group.identity.attributes;
    model.targetGroups.set(group.identity.ref, targetGroup(group.identity.ref, name, group.properties));
  }
  for (const listener of resources.ofType(`${ELB}::Listener`).filter(isOurs))
    addListener(model, listener.identity.ref, listener.properties);
  for (const { properties } of resources.ofType(`${ELB}::ListenerCertificate`)) {
    const listener = model.listeners.get(properties.string('ListenerArn'));
    // Of a listener of another stack nothing is known here.
    if (listener) listener.certificateArns = [...listener.certificateArns, ...certificateArns(properties)];
  }
  for (const { identity, properties } of resources.ofType(`${ELB}::ListenerRule`))
    model.rules.set(identity.ref, findRule(identity.ref, properties));
  for (const group of model.targetGroups.values()) {
    if (!isOfAnother(model, group, balancerArn)) checkAttributes(group);
  }
  for (const rule of model.rules.values()) {
    try {
      checkActions(model, rule.actions);
      checkTransforms(rule);
    } catch (error) {
      throw new UsageError(
        `rule '${rule.arn}' of the template must be one that the load balancer takes, got: ${(error as Error).message}`,
      );
    }
  }
  return model;
}

/** A Network Load Balancer before the load balancer, its listeners and its target group: clients of a rehearsal come without it. */
function isOfNetworkFront(properties: Properties): boolean {
  return (
    properties.string('Type', 'application') === 'network' ||
    ['TCP', 'TLS', 'UDP', 'TCP_UDP'].includes(properties.string('Protocol', 'HTTP')) ||
    properties.string('TargetType', 'instance') === 'alb'
  );
}

function isOfAnother(model: ElbModel, { arn }: TargetGroup, balancerArn: string | undefined): boolean {
  if (balancerArn === undefined) return false;
  const rules = [...model.rules.values()].filter(({ actions }) =>
    actions.some((action) => action.type === 'forward' && action.forward.targetGroups.some((each) => each.arn === arn)),
  );
  const owners = rules.map(({ listenerArn }) => model.listeners.get(listenerArn)?.loadBalancerArn ?? balancerArn);
  return owners.length > 0 && !owners.includes(balancerArn);
}

function targetGroup(arn: string, name: string, properties: Properties): TargetGroup {
  const protocol = properties.string('Protocol', 'HTTP') === 'HTTPS' ? 'HTTPS' : 'HTTP';
  const type = properties.string('TargetType', 'instance');
  if (type !== 'ip') throw new UsageError(`target group '${name}' must have targets of type 'ip', got '${type}'`);
  const version = properties.string('ProtocolVersion', 'HTTP1');
  if (version !== 'HTTP1' && version !== 'HTTP2') {
    throw new UsageError(
      `'ProtocolVersion' of '${name}' must be HTTP1 or HTTP2 to be rehearsed, where no client speaks gRPC, got '${version}'`,
    );
  }
  const attributes = properties.pairs('TargetGroupAttributes');
  return {
    arn,
    name,
    protocol,
    protocolVersion: version,
    port: properties.number('Port', 80),
    vpcId: properties.string('VpcId', 'vpc-rehearsal'),
    targetType: 'ip',
    healthCheck: healthCheck(properties, protocol),
    attributes,
    targets: new Map(),
  };
}

/** What the load balancer here does not do would be rehearsed wrongly. */
function checkAttributes({ name, attributes }: TargetGroup): void {
  const must = (key: string, rule: string, holds: (value: string) => boolean) => {
    const value = attributes.get(key);
    if (value === undefined || holds(value)) return;
    throw new UsageError(`'${key}' of '${name}' must be ${rule} to be rehearsed, got '${value}'`);
  };
  must('slow_start.duration_seconds', '0', (value) => Number(value) === 0);
  must('load_balancing.algorithm.type', 'round_robin or least_outstanding_requests', (value) =>
    ['round_robin', 'least_outstanding_requests'].includes(value),
  );
  if (attributes.get('stickiness.enabled') === 'true') {
    must('stickiness.type', 'lb_cookie', (value) => value === 'lb_cookie');
  }
}

/** @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html (defaults) */
function healthCheck(properties: Properties, protocol: 'HTTP' | 'HTTPS'): HealthCheck {
  return {
    protocol: properties.string('HealthCheckProtocol', protocol) === 'HTTPS' ? 'HTTPS' : 'HTTP',
    port: properties.string('HealthCheckPort', 'traffic-port'),
    path: properties.string('HealthCheckPath', '/'),
    intervalSeconds: properties.number('HealthCheckIntervalSeconds', 30),
    timeoutSeconds: properties.number('HealthCheckTimeoutSeconds', 5),
    healthyThreshold: properties.number('HealthyThresholdCount', 5),
    unhealthyThreshold: properties.number('UnhealthyThresholdCount', 2),
    matcher: properties.object('Matcher').string('HttpCode', '200'),
  };
}

function addListener(model: ElbModel, arn: string, properties: Properties): void {
  const listener = findListener(arn, properties);
  model.listeners.set(arn, listener);
  const rule = `${arn.replace(':listener/', ':listener-rule/')}/${arn.slice(-16)}`;
  const actions = properties.list('DefaultActions').map(findAction);
  model.rules.set(rule, { arn: rule, listenerArn: arn, priority: 'default', conditions: [], actions });
}

function findListener(arn: string, properties: Properties): Listener {
  const port = properties.number('Port');
  return {
    arn,
    loadBalancerArn: properties.string('LoadBalancerArn'),
    port,
    templatePort: port,
    protocol: properties.string('Protocol', 'HTTP') === 'HTTPS' ? 'HTTPS' : 'HTTP',
    certificateArns: certificateArns(properties),
    sslPolicy: properties.optionalString('SslPolicy'),
    attributes: properties.pairs('ListenerAttributes'),
  };
}

function certificateArns(properties: Properties): string[] {
  return properties.list('Certificates').map((certificate) => certificate.string('CertificateArn'));
}

function findRule(arn: string, properties: Properties): Rule {
  return {
    arn,
    listenerArn: properties.string('ListenerArn'),
    priority: properties.number('Priority'),
    conditions: properties.list('Conditions').map((condition) => findCondition(arn, condition)),
    actions: properties.list('Actions').map(findAction),
    ...(properties.has('Transforms') && { transforms: properties.list('Transforms').map(findTransform) }),
  };
}

function findTransform(transform: Properties): RuleTransform {
  const type = TRANSFORM_TYPES.find((known) => known === transform.string('Type'));
  if (!type) {
    const known = TRANSFORM_TYPES.join(' or ');
    throw new UsageError(`a rule's transform must be ${known} to be rehearsed, got '${transform.string('Type')}'`);
  }
  const config = transform.object(type === 'url-rewrite' ? 'UrlRewriteConfig' : 'HostHeaderRewriteConfig');
  const rewrites = config.list('Rewrites').map((rewrite) => ({
    regex: rewrite.string('Regex'),
    replace: rewrite.string('Replace', ''),
  }));
  return { type, rewrites };
}

function findCondition(rule: string, condition: Properties): RuleCondition {
  const field = CONDITION_FIELDS.find((known) => known === condition.string('Field'));
  // Passing over a condition would send traffic where the real rule does not.
  if (field === undefined) {
    throw new UsageError(
      `conditions of rule '${rule}' must be path patterns or host headers to be rehearsed, got '${condition.string('Field')}'`,
    );
  }
  const config = field === 'path-pattern' ? 'PathPatternConfig' : 'HostHeaderConfig';
  return { field, values: [...condition.object(config).strings('Values'), ...condition.strings('Values')] };
}

function findAction(action: Properties): Action {
  const type = action.string('Type');
  if (type === 'fixed-response') {
    const config = action.object('FixedResponseConfig');
    return {
      type,
      statusCode: config.number('StatusCode'),
      contentType: config.string('ContentType', 'text/plain'),
      body: config.string('MessageBody', ''),
    };
  }
  if (type === 'redirect') {
    const { StatusCode, ...redirect } = action.record('RedirectConfig');
    return { type, redirect, statusCode: StatusCode === 'HTTP_301' ? 301 : 302 };
  }
  if (type !== 'forward')
    throw new UsageError(
      `a listener's action must be 'forward', 'fixed-response' or 'redirect' to be rehearsed, got '${type}'`,
    );
  const config = action.object('ForwardConfig');
  const sticky = config.object('TargetGroupStickinessConfig');
  const groups = config.list('TargetGroups').map((group) => ({
    arn: group.string('TargetGroupArn'),
    weight: group.number('Weight', 1),
  }));
  return {
    type,
    forward: {
      targetGroups: groups.length > 0 ? groups : [{ arn: action.string('TargetGroupArn'), weight: 1 }],
      stickiness: {
        enabled: sticky.boolean('Enabled', false),
        durationSeconds: sticky.number('DurationSeconds', 3600),
      },
    },
  };
}

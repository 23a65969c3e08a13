import {
  ElbModel,
  Listener,
  LoadBalancer,
  Rule,
  Target,
  TargetGroup,
  TargetState,
} from '../../../load-balancer/model/model';
import { Place, AwsObject } from '../../operations/operation';
import { writeAction } from './actions';
import { writeCondition } from './conditions';
import { writeTransform } from './transforms';

/** The zone that owns the DNS names of Application Load Balancers in us-east-1. */
const HOSTED_ZONE = 'Z35SXDOTRQ7X7K';

export function writeLoadBalancer(balancer: LoadBalancer, place: Place): AwsObject {
  return {
    LoadBalancerArn: balancer.arn,
    DNSName: balancer.dnsName,
    CanonicalHostedZoneId: HOSTED_ZONE,
    CreatedTime: balancer.createdAt,
    LoadBalancerName: balancer.name,
    Scheme: balancer.scheme,
    VpcId: balancer.vpcId,
    State: { Code: 'active' },
    Type: 'application',
    AvailabilityZones: balancer.subnetIds.map((SubnetId, index) => ({
      ZoneName: `${place.region}${String.fromCharCode(97 + (index % 26))}`,
      SubnetId,
      LoadBalancerAddresses: [],
    })),
    SecurityGroups: balancer.securityGroups,
    IpAddressType: 'ipv4',
  };
}

export function writeListener(model: ElbModel, listener: Listener): AwsObject {
  const fallback = model.listRules(listener.arn).find((rule) => rule.priority === 'default');
  // Only the default one; the others are for DescribeListenerCertificates.
  const certificates = listener.certificateArns.slice(0, 1).map((CertificateArn) => ({ CertificateArn }));
  return {
    ListenerArn: listener.arn,
    LoadBalancerArn: listener.loadBalancerArn,
    Port: listener.port,
    Protocol: listener.protocol,
    Certificates: certificates.length > 0 ? certificates : undefined,
    SslPolicy: listener.sslPolicy,
    DefaultActions: (fallback?.actions ?? []).map(writeAction),
  };
}

export function writeRule(rule: Rule): AwsObject {
  return {
    RuleArn: rule.arn,
    Priority: String(rule.priority),
    Conditions: rule.conditions.map(writeCondition),
    Actions: rule.actions.map(writeAction),
    Transforms: rule.transforms?.map(writeTransform),
    IsDefault: rule.priority === 'default',
  };
}

/** As it is read: an API that is eventually consistent may show what was there before. */
export function showRule(rule: Rule): AwsObject {
  const { lag } = rule;
  return writeRule(lag?.at === 'reading' ? { ...rule, actions: lag.actions } : rule);
}

export function writeTargetGroup(model: ElbModel, group: TargetGroup): AwsObject {
  const { healthCheck } = group;
  return {
    TargetGroupArn: group.arn,
    TargetGroupName: group.name,
    Protocol: group.protocol,
    Port: group.port,
    VpcId: group.vpcId,
    HealthCheckProtocol: healthCheck.protocol,
    HealthCheckPort: healthCheck.port,
    HealthCheckEnabled: true,
    HealthCheckIntervalSeconds: healthCheck.intervalSeconds,
    HealthCheckTimeoutSeconds: healthCheck.timeoutSeconds,
    HealthyThresholdCount: healthCheck.healthyThreshold,
    UnhealthyThresholdCount: healthCheck.unhealthyThreshold,
    HealthCheckPath: healthCheck.path,
    Matcher: { HttpCode: healthCheck.matcher },
    LoadBalancerArns: model.listLoadBalancers(group.arn),
    TargetType: group.targetType,
    ProtocolVersion: group.protocolVersion,
    IpAddressType: 'ipv4',
  };
}

type Reason = { readonly code: string; readonly description: string };

/** What the API says when the model has nothing more exact. A healthy target has no reason. */
const REASONS: Readonly<Record<TargetState, Reason | undefined>> = {
  initial: { code: 'Elb.RegistrationInProgress', description: 'Target registration is in progress' },
  healthy: undefined,
  unhealthy: { code: 'Target.FailedHealthChecks', description: 'Health checks failed' },
  unused: {
    code: 'Target.NotInUse',
    description: 'Target group is not configured to receive traffic from the load balancer',
  },
  draining: { code: 'Target.DeregistrationInProgress', description: 'Target deregistration is in progress' },
};

export function writeTargetHealth(group: TargetGroup, target: Target): AwsObject {
  const reason = target.state === 'healthy' ? undefined : (target.reason ?? REASONS[target.state]);
  const { port } = group.healthCheck;
  return {
    Target: { Id: target.id, Port: target.port },
    HealthCheckPort: port === 'traffic-port' ? String(target.port) : port,
    TargetHealth: { State: target.state, Reason: reason?.code, Description: reason?.description },
  };
}

export function writeUnknownTarget(id: string, port: number): AwsObject {
  return {
    Target: { Id: id, Port: port },
    TargetHealth: {
      State: 'unused',
      Reason: 'Target.NotRegistered',
      Description: 'Target is not registered to the target group',
    },
  };
}

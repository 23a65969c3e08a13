import { own } from '../../../core/validation/own';
import { createHash } from 'node:crypto';
import { buildUuid } from '../../aws/identifiers';
import { Identities, Identity, Resolver } from './resolve';
import { Resource, Stack } from './template';

type Namer = (name: Name) => Identity;

/** What an identity is made of. `hash` is hexadecimal and the same for the same stack and logical id. */
interface Name {
  readonly logicalId: string;
  readonly hash: string;
  /** A physical name of at most 32 characters, as ELBv2 allows. */
  readonly short: string;
  readonly stack: Stack;
  readonly properties: Readonly<Record<string, unknown>>;
  /** `arn:aws:SERVICE:region:account` */
  readonly arn: (service: string) => string;
  /** What another resource is known by, for names that contain each other; absent is the default one. */
  readonly resolveRef: (value: unknown) => string;
}

/**
 * Gives every resource of a stack the identity that it would have at AWS, made of its logical id: the same in every run.
 *
 * @param given the identities of what has chosen its own: of custom resources, by logical id
 */
export function identifier(
  stack: Stack,
  given: Identities = new Map(),
): (logicalId: string, resource: Resource) => Identity {
  const known = new Map<string, Identity>(given);
  const resolver = new Resolver(stack, (...resource) => identify(...resource));
  const identify = (logicalId: string, resource: Resource): Identity => {
    const present = known.get(logicalId);
    if (present) return present;
    const hash = createHash('sha256').update(`${stack.name}/${logicalId}`).digest('hex').slice(0, 16);
    const name: Name = {
      logicalId,
      hash,
      short: `${stack.name.slice(0, 10)}-${logicalId.slice(0, 8)}-${hash.slice(0, 12)}`.replace(/[^A-Za-z0-9-]/g, ''),
      stack,
      properties: resource.Properties ?? {},
      arn: (service) => `arn:aws:${service}:${stack.region}:${stack.account}`,
      resolveRef: (value) => (value === undefined ? 'default' : resolver.text(value)),
    };
    const identity = own(NAMERS, resource.Type)?.(name) ?? { ref: `${logicalId}-${hash}`, attributes: {} };
    known.set(logicalId, identity);
    return identity;
  };
  return identify;
}

const alarmNamer: Namer = ({ arn, stack, logicalId, hash, properties }) => {
  const { AlarmName } = properties;
  const ref = typeof AlarmName === 'string' ? AlarmName : `${stack.name}-${logicalId}-${hash.slice(0, 12)}`;
  return { ref, attributes: { Arn: `${arn('cloudwatch')}:alarm:${ref}` } };
};

const certificateNamer: Namer = ({ arn, stack, logicalId }) => {
  const ref = `${arn('acm')}:certificate/${buildUuid(`${stack.name}/${logicalId}`)}`;
  return { ref, attributes: { CertificateArn: ref } };
};

const NAMERS: Record<string, Namer | undefined> = {
  'AWS::ElasticLoadBalancingV2::LoadBalancer': ({ arn, short, hash }) => {
    const full = `app/${short}/${hash}`;
    // The name that resolves here. At AWS it is one under elb.amazonaws.com.
    return {
      ref: `${arn('elasticloadbalancing')}:loadbalancer/${full}`,
      attributes: {
        DNSName: '127.0.0.1',
        LoadBalancerFullName: full,
        LoadBalancerName: short,
        CanonicalHostedZoneID: 'Z35SXDOTRQ7X7K',
      },
    };
  },
  'AWS::ElasticLoadBalancingV2::TargetGroup': ({ arn, short, hash }) => {
    const full = `targetgroup/${short}/${hash}`;
    const ref = `${arn('elasticloadbalancing')}:${full}`;
    return { ref, attributes: { TargetGroupArn: ref, TargetGroupFullName: full, TargetGroupName: short } };
  },
  'AWS::ElasticLoadBalancingV2::Listener': ({ resolveRef, properties, hash }) => {
    const ref = `${resolveRef(properties.LoadBalancerArn).replace(':loadbalancer/', ':listener/')}/${hash}`;
    return { ref, attributes: { ListenerArn: ref } };
  },
  'AWS::ElasticLoadBalancingV2::ListenerRule': ({ resolveRef, properties, hash }) => {
    const ref = `${resolveRef(properties.ListenerArn).replace(':listener/', ':listener-rule/')}/${hash}`;
    return { ref, attributes: { RuleArn: ref } };
  },
  'AWS::ECS::Cluster': ({ arn, short }) => ({ ref: short, attributes: { Arn: `${arn('ecs')}:cluster/${short}` } }),
  'AWS::ECS::Service': ({ arn, short, resolveRef, properties }) => {
    const ref = `${arn('ecs')}:service/${resolveRef(properties.Cluster)}/${short}`;
    return { ref, attributes: { Name: short, ServiceArn: ref } };
  },
  'AWS::ApplicationAutoScaling::ScalingPolicy': ({ arn, stack, logicalId, short }) => {
    const id = buildUuid(`${stack.name}/${logicalId}`);
    const ref = `${arn('autoscaling')}:scalingPolicy:${id}:policyName/${short}`;
    return { ref, attributes: { Arn: ref } };
  },
  'AWS::ECS::TaskDefinition': ({ arn, logicalId, resolveRef, properties: { Family } }) => {
    const ref = `${arn('ecs')}:task-definition/${Family === undefined ? logicalId : resolveRef(Family)}:1`;
    return { ref, attributes: { TaskDefinitionArn: ref } };
  },
  'AWS::Lambda::Function': ({ arn, short }) => ({
    ref: short,
    attributes: { Arn: `${arn('lambda')}:function:${short}` },
  }),
  'AWS::StepFunctions::StateMachine': ({ arn, short }) => {
    const ref = `${arn('states')}:stateMachine:${short}`;
    return { ref, attributes: { Arn: ref, Name: short } };
  },
  'AWS::S3::Bucket': ({ short }) => {
    const name = short.toLowerCase();
    return { ref: name, attributes: { Arn: `arn:aws:s3:::${name}`, DomainName: `${name}.s3.amazonaws.com` } };
  },
  'AWS::SecretsManager::Secret': ({ arn, logicalId, hash }) => {
    const ref = `${arn('secretsmanager')}:secret:${logicalId}-${hash.slice(0, 6)}`;
    return { ref, attributes: { Id: ref } };
  },
  'AWS::IAM::Role': ({ stack, logicalId, hash }) => {
    const name = `${stack.name}-${logicalId}-${hash.slice(0, 8)}`;
    return {
      ref: name,
      attributes: { Arn: `arn:aws:iam::${stack.account}:role/${name}`, RoleId: `AROA${hash.toUpperCase()}` },
    };
  },
  'AWS::CloudWatch::Alarm': alarmNamer,
  'AWS::CloudWatch::CompositeAlarm': alarmNamer,
  'AWS::SNS::Topic': ({ arn, short, properties }) => {
    const name = typeof properties.TopicName === 'string' ? properties.TopicName : short;
    return { ref: `${arn('sns')}:${name}`, attributes: { TopicArn: `${arn('sns')}:${name}`, TopicName: name } };
  },
  'AWS::Events::EventBus': ({ arn, short, properties }) => {
    const name = typeof properties.Name === 'string' ? properties.Name : short;
    return { ref: name, attributes: { Arn: `${arn('events')}:event-bus/${name}`, Name: name } };
  },
  'AWS::CertificateManager::Certificate': certificateNamer,
  'Custom::DrainshiftCertificate': certificateNamer,
  'AWS::MSK::ServerlessCluster': ({ arn, short, hash }) => ({
    ref: `${arn('kafka')}:cluster/${short}/${hash}-s1`,
    attributes: {},
  }),
  'Custom::DrainshiftBrokers': ({ stack, hash }) => ({
    ref: `brokers-${hash}`,
    attributes: {
      BootstrapBrokerStringSaslIam: `boot-${hash.slice(0, 8)}.c1.kafka-serverless.${stack.region}.amazonaws.com:9098`,
    },
  }),
  'AWS::EC2::SecurityGroup': ({ hash }) => ({ ref: `sg-${hash}`, attributes: { GroupId: `sg-${hash}` } }),
  'AWS::EC2::VPC': ({ hash }) => ({ ref: `vpc-${hash}`, attributes: { VpcId: `vpc-${hash}` } }),
  'AWS::EC2::Subnet': ({ hash }) => ({ ref: `subnet-${hash}`, attributes: { SubnetId: `subnet-${hash}` } }),
};

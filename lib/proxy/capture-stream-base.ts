import { Fn, IResource, Resource } from 'aws-cdk-lib';
import { Connections, IConnectable, ISecurityGroup, Peer, Port } from 'aws-cdk-lib/aws-ec2';
import { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { DEFAULT_TOPIC, STORE_URL_RULE, parseStoreUrl } from '../../core/capture/store-url';
import { checkNames } from '../validation/known-props';
import { isLater, reject } from '../validation/validation';

/** A topic of Amazon MSK for captured traffic, made here or elsewhere. Clients use TLS, and log in by IAM. */
export interface ICaptureStream extends IResource, IConnectable {
  /** `arn:aws:kafka:…:cluster/NAME/ID`. */
  readonly clusterArn: string;

  /** Its name. */
  readonly topic: string;

  /** `kafka+iam://BROKERS/TOPIC`: what the setting `capture` and `drainshift replay --from` take. */
  readonly url: string;

  /**
   * Lets a proxy record: connect, create the topic, and write to it. It reads nothing.
   * @see https://docs.aws.amazon.com/msk/latest/developerguide/kafka-actions.html
   */
  grantWrite(grantee: IGrantable): Grant;

  /**
   * Lets a replay read: connect, and read the topic. It writes nothing, and needs no consumer group.
   * @see https://docs.aws.amazon.com/msk/latest/developerguide/kafka-actions.html
   */
  grantRead(grantee: IGrantable): Grant;
}

/** A cluster of Amazon MSK that exists. */
export interface CaptureStreamAttributes {
  /** `arn:aws:kafka:…:cluster/NAME/ID`, of MSK or MSK Serverless. */
  readonly clusterArn: string;

  /** Its brokers for IAM, as `aws kafka get-bootstrap-brokers` has them: `b-1.example:9098`. */
  readonly bootstrapBrokers: string[];

  /**
   * The topic. The first proxy creates it where it is not there.
   * @default logging-traffic-topic
   */
  readonly topic?: string;

  /**
   * Those of its brokers. They get a rule that lets the proxies connect.
   * @default - none: the proxies may connect to all addresses
   */
  readonly securityGroups?: ISecurityGroup[];
}

/** Of IAM, within a VPC. */
const PORT = Port.tcp(9098);

/**
 * What proxies and replays may be granted at a topic, wherever it was made.
 *
 * @internal
 */
export abstract class CaptureStreamBase extends Resource implements ICaptureStream {
  public abstract readonly clusterArn: string;
  public abstract readonly topic: string;
  public abstract readonly url: string;
  public abstract readonly connections: Connections;

  public grantWrite(grantee: IGrantable): Grant {
    return this.grant(grantee, ['WriteDataIdempotently'], ['CreateTopic', 'DescribeTopic', 'WriteData']);
  }

  public grantRead(grantee: IGrantable): Grant {
    return this.grant(grantee, [], ['DescribeTopic', 'ReadData']);
  }

  private grant(grantee: IGrantable, ofCluster: string[], ofTopic: string[]): Grant {
    const name = (action: string) => `kafka-cluster:${action}`;
    const [before, of] = [Fn.split(':cluster/', this.clusterArn), Fn.split('/', this.clusterArn)];
    const topicArn = `${Fn.select(0, before)}:topic/${Fn.select(1, of)}/${Fn.select(2, of)}/${this.topic}`;
    const onCluster = Grant.addToPrincipal({
      grantee,
      actions: ['Connect', ...ofCluster].map(name),
      resourceArns: [this.clusterArn],
    });
    return onCluster.combine(Grant.addToPrincipal({ grantee, actions: ofTopic.map(name), resourceArns: [topicArn] }));
  }
}

/** @throws Error that names the option, its rule and its value */
export function formatStreamUrl(bootstrapBrokers: string, topic: string): string {
  const url = `kafka+iam://${bootstrapBrokers}/${topic}`;
  const known = isLater(bootstrapBrokers) ? `kafka://broker:1/${topic}` : url;
  if (!isLater(topic) && parseStoreUrl(known) === undefined)
    reject(isLater(bootstrapBrokers) ? 'topic' : 'bootstrapBrokers', STORE_URL_RULE, known);
  return url;
}

/** @param securityGroups those of the brokers. Without one to name in an egress rule, only an address can be. */
export function connectBrokers(securityGroups: ISecurityGroup[]): Connections {
  const peer = securityGroups.length === 0 ? Peer.anyIpv4() : undefined;
  return new Connections({ securityGroups, peer, defaultPort: PORT });
}

/** A topic of a cluster that was made elsewhere. */
export class ImportedCaptureStream extends CaptureStreamBase {
  public readonly clusterArn: string;
  public readonly topic: string;
  public readonly url: string;
  public readonly connections: Connections;

  constructor(scope: Construct, id: string, props: CaptureStreamAttributes) {
    super(scope, id);
    checkNames('CaptureStreamAttributes', props);
    const { clusterArn, bootstrapBrokers, topic = DEFAULT_TOPIC, securityGroups = [] } = props;
    if (!isLater(clusterArn) && !/^arn:[a-z-]+:kafka:[a-z0-9-]+:\d{12}:cluster\/[^/]+\/[^/]+$/.test(clusterArn))
      reject('clusterArn', 'the ARN of a cluster of MSK', clusterArn);
    this.clusterArn = clusterArn;
    this.topic = topic;
    this.url = formatStreamUrl(bootstrapBrokers.join(','), topic);
    this.connections = connectBrokers(securityGroups);
  }
}

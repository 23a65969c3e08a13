import { Fn, Resource } from 'aws-cdk-lib';
import { Connections, IConnectable, ISecurityGroup, Peer, Port } from 'aws-cdk-lib/aws-ec2';
import { IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { DEFAULT_TOPIC, STORE_URL_RULE, parseStoreUrl } from '../../core/capture/store-url';
import { checkNames } from '../validation/known-props';
import { isLater, reject } from '../validation/validation';

/** Of IAM, within a VPC. */
const PORT = 9098;

/** A cluster of Amazon MSK that exists. */
export interface CaptureStreamAttributes {
  /** `arn:aws:kafka:…:cluster/NAME/ID`, of MSK or MSK Serverless. */
  readonly clusterArn: string;

  /** Its brokers for IAM, as `aws kafka get-bootstrap-brokers` has them: `b-1.example:9098`. */
  readonly bootstrapBrokers: string[];

  /**
   * The topic, which is there or which brokers create.
   * @default logging-traffic-topic
   */
  readonly topic?: string;

  /**
   * Those of its brokers. They get a rule that lets the proxies connect.
   * @default - none: the proxies may connect to all addresses
   */
  readonly securityGroups?: ISecurityGroup[];
}

/**
 * A topic of Amazon MSK for captured traffic, with TLS and logins by IAM.
 *
 * @example
 * const stream = CaptureStream.fromCluster(this, 'Stream', {
 *   clusterArn: 'arn:aws:kafka:eu-central-1:111122223333:cluster/shop/0a1b2c3d-4e5f-6a7b-8c9d-0e1f2a3b4c5d-2',
 *   bootstrapBrokers: ['b-1.shop.a1b2c3.c2.kafka.eu-central-1.amazonaws.com:9098'],
 * });
 * const source: ProxyOptions = { upstreamUrl: 'http://old.internal:8080', capture: TrafficCapture.toStream(stream) };
 */
export class CaptureStream extends Resource implements IConnectable {
  /**
   * A topic of a cluster that exists.
   *
   * @throws Error that names the attribute, its rule and its value
   */
  public static fromCluster(scope: Construct, id: string, attributes: CaptureStreamAttributes): CaptureStream {
    // eslint-disable-next-line awscdk/require-passing-this -- the caller's
    return new CaptureStream(scope, id, attributes);
  }

  /** The cluster. */
  public readonly clusterArn: string;
  /** The topic. */
  public readonly topic: string;
  /** `kafka+iam://BROKERS/TOPIC`: what the setting `capture` and `drainshift replay --from` take. */
  public readonly url: string;
  /** Its brokers. */
  public readonly connections: Connections;

  private constructor(scope: Construct, id: string, props: CaptureStreamAttributes) {
    super(scope, id);
    checkNames('CaptureStreamAttributes', props);
    const { clusterArn, bootstrapBrokers, topic = DEFAULT_TOPIC, securityGroups = [] } = props;
    if (!isLater(clusterArn) && !/^arn:[a-z-]+:kafka:[a-z0-9-]+:\d{12}:cluster\/[^/]+\/[^/]+$/.test(clusterArn))
      reject('clusterArn', 'the ARN of a cluster of MSK', clusterArn);
    this.clusterArn = clusterArn;
    this.topic = topic;
    this.url = `kafka+iam://${bootstrapBrokers.join(',')}/${topic}`;
    if (![...bootstrapBrokers, topic].some(isLater) && parseStoreUrl(this.url) === undefined)
      reject('bootstrapBrokers', STORE_URL_RULE, this.url);
    // Without a group to name in an egress rule, only an address can be.
    const peer = securityGroups.length === 0 ? Peer.anyIpv4() : undefined;
    this.connections = new Connections({ securityGroups, peer, defaultPort: Port.tcp(PORT) });
  }

  /** Where it is. @internal */
  public get _region(): string {
    return Fn.select(3, Fn.split(':', this.clusterArn));
  }

  /**
   * It may connect, create the topic, and write to it.
   * @see https://docs.aws.amazon.com/msk/latest/developerguide/kafka-actions.html
   * @internal
   */
  public _letWrite(grantee: IGrantable): void {
    const { grantPrincipal } = grantee;
    const connect = ['kafka-cluster:Connect', 'kafka-cluster:WriteDataIdempotently'];
    grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions: connect, resources: [this.clusterArn] }));
    const write = ['kafka-cluster:CreateTopic', 'kafka-cluster:DescribeTopic', 'kafka-cluster:WriteData'];
    grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions: write, resources: [this.topicArn] }));
  }

  private get topicArn(): string {
    return `${Fn.join(':topic/', Fn.split(':cluster/', this.clusterArn))}/${this.topic}`;
  }
}

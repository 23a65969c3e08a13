import { Names, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Connections, IVpc, SecurityGroup, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { CfnServerlessCluster } from 'aws-cdk-lib/aws-msk';
import { AwsCustomResource, AwsCustomResourcePolicy, PhysicalResourceId } from 'aws-cdk-lib/custom-resources';
import { Construct } from 'constructs';
import { DEFAULT_TOPIC } from '../../core/capture/store-url';
import { listSubnetsOfZones } from '../shared/subnets';
import { checkNames } from '../validation/known-props';
import { acknowledge } from '../validation/nag-suppressions';
import {
  CaptureStreamAttributes,
  CaptureStreamBase,
  ICaptureStream,
  ImportedCaptureStream,
  connectBrokers,
  formatStreamUrl,
} from './capture-stream-base';

/** Of a cluster of MSK Serverless. */
export interface CaptureStreamProps {
  /** The network of the proxies. */
  readonly vpc: IVpc;

  /**
   * In which subnets its addresses are: in two availability zones at least.
   * @default - the private ones
   */
  readonly vpcSubnets?: SubnetSelection;

  /**
   * The topic. The first proxy creates it.
   * @default logging-traffic-topic
   */
  readonly topic?: string;

  /**
   * What becomes of the cluster, with all that was captured, when it leaves the stack.
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
}

const MAX_NAME = 64;
const BROKERS = 'BootstrapBrokerStringSaslIam';

/**
 * A cluster of MSK Serverless for captured traffic. It has no size to choose, and costs by the hour and by what it holds.
 *
 * @example
 * const stream = new CaptureStream(this, 'Stream', { vpc });
 * const source: ProxyOptions = { upstreamUrl: 'http://old.internal:8080', capture: TrafficCapture.toStream(stream) };
 */
export class CaptureStream extends CaptureStreamBase {
  /**
   * A topic of a cluster that exists.
   *
   * @throws Error that names the attribute, its rule and its value
   * @example
   * const stream = CaptureStream.fromCluster(this, 'Stream', {
   *   clusterArn: 'arn:aws:kafka:eu-central-1:111122223333:cluster/shop/0a1b2c3d-4e5f-6a7b-8c9d-0e1f2a3b4c5d-2',
   *   bootstrapBrokers: ['b-1.shop.a1b2c3.c2.kafka.eu-central-1.amazonaws.com:9098'],
   * });
   */
  public static fromCluster(scope: Construct, id: string, attributes: CaptureStreamAttributes): ICaptureStream {
    // eslint-disable-next-line awscdk/require-passing-this -- the caller's
    return new ImportedCaptureStream(scope, id, attributes);
  }

  /** The cluster. */
  public readonly clusterArn: string;
  /** The topic. */
  public readonly topic: string;
  /** `kafka+iam://BROKERS/TOPIC`: what the setting `capture` and `drainshift replay --from` take. */
  public readonly url: string;
  /** Its brokers. */
  public readonly connections: Connections;

  /** @throws Error that names the property, its rule and its value */
  constructor(scope: Construct, id: string, props: CaptureStreamProps) {
    super(scope, id);
    checkNames('CaptureStreamProps', props);
    const { vpc, topic = DEFAULT_TOPIC, removalPolicy = RemovalPolicy.RETAIN } = props;
    this.topic = topic;
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc,
      description: 'The brokers of captured traffic',
      allowAllOutbound: false,
    });
    const cluster = new CfnServerlessCluster(this, 'Cluster', {
      clusterName: Names.uniqueResourceName(this, { maxLength: MAX_NAME, separator: '-' }),
      clientAuthentication: { sasl: { iam: { enabled: true } } },
      vpcConfigs: [
        { subnetIds: listSubnetsOfZones(vpc, props.vpcSubnets), securityGroups: [securityGroup.securityGroupId] },
      ],
    });
    cluster.applyRemovalPolicy(removalPolicy);
    // Its network interfaces have the group for as long as it stays.
    securityGroup.applyRemovalPolicy(removalPolicy);
    this.clusterArn = cluster.ref;
    this.url = formatStreamUrl(this.findBrokers(), topic);
    this.connections = connectBrokers([securityGroup]);
    acknowledge(this, 'captureStream');
  }

  /** CloudFormation does not know them. */
  private findBrokers(): string {
    const call = {
      service: 'Kafka',
      action: 'GetBootstrapBrokers',
      parameters: { ClusterArn: this.clusterArn },
      physicalResourceId: PhysicalResourceId.of(this.clusterArn),
      outputPaths: [BROKERS],
    };
    const found = new AwsCustomResource(this, 'Brokers', {
      resourceType: 'Custom::DrainshiftBrokers',
      onUpdate: call,
      // This action knows no resources.
      policy: AwsCustomResourcePolicy.fromSdkCalls({ resources: AwsCustomResourcePolicy.ANY_RESOURCE }),
      installLatestAwsSdk: false,
    });
    const provider = Stack.of(this).node.tryFindChild(
      `AWS${AwsCustomResource.PROVIDER_FUNCTION_UUID.replaceAll('-', '')}`,
    );
    if (provider) acknowledge(provider, 'sdkCalls');
    return found.getResponseField(BROKERS);
  }
}

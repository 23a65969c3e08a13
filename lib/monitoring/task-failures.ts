import { Duration } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { Rule } from 'aws-cdk-lib/aws-events';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { acknowledge } from '../validation/nag-suppressions';
import { createQueue, letEventsSend } from '../shared/encryption';
import { METRIC_PERIOD } from './migration-metrics';
import { IProxyService } from '../proxy/proxy-service-base';

interface DeadProxiesProps {
  readonly services: readonly IProxyService[];
  readonly encryptionKey?: IKey;
}

/**
 * Counts the proxies that ended without being asked to stop, and keeps what ECS says of each for two weeks. A queue and not
 * the rule's own metrics alone: the operator who is woken by the alarm asks first which task it was, and why. And not a log,
 * which
 * would take one of the ten policies for logs that an account has in a region.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html
 */
export class DeadProxies extends Construct {
  private readonly queue: Queue;

  constructor(scope: Construct, id: string, props: DeadProxiesProps) {
    super(scope, id);
    const { services, encryptionKey } = props;
    const queue = createQueue(this, 'Queue', {
      encryptionKey,
      retentionPeriod: Duration.days(14),
    });
    this.queue = queue;
    acknowledge(queue, 'deadProxies');
    const rule = new Rule(this, 'Rule', {
      description: 'Proxies that ended without being asked to stop',
      eventPattern: {
        source: ['aws.ecs'],
        detailType: ['ECS Task State Change'],
        detail: {
          clusterArn: [...new Set(services.map(({ cluster }) => cluster.clusterArn))],
          group: services.map(({ ecsServiceName }) => `service:${ecsServiceName}`),
          lastStatus: ['STOPPED'],
          stopCode: ['EssentialContainerExited'],
        },
      },
      targets: [{ bind: () => ({ arn: queue.queueArn }) }],
    });
    letEventsSend(queue, rule);
  }

  metric(): Metric {
    return this.queue.metricNumberOfMessagesSent({ statistic: 'Sum', period: METRIC_PERIOD });
  }
}

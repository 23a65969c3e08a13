import { CfnOutput, Duration, Stack } from 'aws-cdk-lib';
import { Alarm, Dashboard, GraphWidget, IMetric, MathExpression, SingleValueWidget } from 'aws-cdk-lib/aws-cloudwatch';
import { ApplicationTargetGroup, HttpCodeTarget } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Cutover } from './plain-cutover';
import type { Front } from './plain-front';
import type { Proxies } from './plain-proxies';

type Parts = Front & Proxies & Cutover;

const PERIOD = Duration.minutes(1);

export function createMonitoring(stack: Stack, parts: Parts): void {
  const rates = parts.groups.map((group, side) => errorRate(group, side));
  const taskFailures = createTaskFailures(stack, parts);
  const { loadBalancer, groups, stateMachine, recover, givenUp, services } = parts;
  const watched: IMetric[] = [
    ...rates,
    ...groups.map(({ metrics }) => metrics.targetResponseTime({ period: PERIOD, statistic: 'p99' })),
    ...groups.map(({ metrics }) => metrics.healthyHostCount({ period: PERIOD })),
    ...groups.map(({ metrics }) => metrics.unhealthyHostCount({ period: PERIOD })),
    loadBalancer.metrics.rejectedConnectionCount({ period: PERIOD }),
    loadBalancer.metrics.activeConnectionCount({ period: PERIOD }),
    stateMachine.metricFailed({ period: PERIOD }),
    recover.metricErrors({ period: PERIOD }),
    taskFailures.metricNumberOfMessagesSent({ period: PERIOD }),
    givenUp.metricApproximateNumberOfMessagesVisible({ period: PERIOD }),
  ];
  watched.forEach((metric, index) => {
    new Alarm(stack, `Alarm${index}`, { metric, threshold: 1, evaluationPeriods: 3, datapointsToAlarm: 2 });
  });
  const cpu = services.map((service) => service.metricCpuUtilization({ period: PERIOD }));
  new Dashboard(stack, 'Dashboard', {
    widgets: Array.from({ length: 6 }, (_, row) => [
      new SingleValueWidget({ title: `Values ${row}`, metrics: watched.slice(0, 4), width: 8 }),
      new GraphWidget({ title: `Rates ${row}`, left: rates, width: 8 }),
      new GraphWidget({ title: `Load ${row}`, left: cpu, width: 8 }),
    ]),
  });
  new CfnOutput(stack, 'StateMachineArn', { value: stateMachine.stateMachineArn });
  new CfnOutput(stack, 'LoadBalancerDnsName', { value: loadBalancer.loadBalancerDnsName });
}

function errorRate(group: ApplicationTargetGroup, side: number): IMetric {
  return new MathExpression({
    expression: `IF(requests${side} > 20, FILL(errors${side}, 0) / requests${side}, 0)`,
    usingMetrics: {
      [`requests${side}`]: group.metrics.requestCount({ period: PERIOD }),
      [`errors${side}`]: group.metrics.httpCodeTarget(HttpCodeTarget.TARGET_5XX_COUNT, { period: PERIOD }),
    },
    period: PERIOD,
  });
}

function createTaskFailures(stack: Stack, { cluster }: Parts): Queue {
  const queue = new Queue(stack, 'TaskFailures', {
    encryption: QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: Duration.days(14),
  });
  new Rule(stack, 'TaskFailed', {
    eventPattern: { source: ['aws.ecs'], detail: { clusterArn: [cluster.clusterArn] } },
    targets: [new SqsQueue(queue)],
  });
  return queue;
}

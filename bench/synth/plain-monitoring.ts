import type * as Cdk from 'aws-cdk-lib';
import type * as CloudWatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as Elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type * as Events from 'aws-cdk-lib/aws-events';
import type * as Iam from 'aws-cdk-lib/aws-iam';
import type * as Logs from 'aws-cdk-lib/aws-logs';
import { load } from './cdk.ts';
import type { Cutover } from './plain-cutover.ts';
import type { Front } from './plain-front.ts';
import type { Proxies } from './plain-proxies.ts';

const { CfnOutput, Duration } = load<typeof Cdk>('aws-cdk-lib');
const { Alarm, Dashboard, GraphWidget, MathExpression, SingleValueWidget } =
  load<typeof CloudWatch>('aws-cdk-lib/aws-cloudwatch');
const { HttpCodeTarget } = load<typeof Elbv2>('aws-cdk-lib/aws-elasticloadbalancingv2');
const { Rule } = load<typeof Events>('aws-cdk-lib/aws-events');
const { PolicyStatement, ServicePrincipal } = load<typeof Iam>('aws-cdk-lib/aws-iam');
const { LogGroup, RetentionDays } = load<typeof Logs>('aws-cdk-lib/aws-logs');

type Parts = Front & Proxies & Cutover;

const PERIOD = Duration.minutes(1);

export function createMonitoring(stack: Cdk.Stack, parts: Parts): void {
  const rates = parts.groups.map((group, side) => errorRate(group, side));
  const log = createDeadProxiesLog(stack, parts);
  const { loadBalancer, groups, stateMachine, recover, givenUp, services } = parts;
  const watched: CloudWatch.IMetric[] = [
    ...rates,
    ...groups.map(({ metrics }) => metrics.targetResponseTime({ period: PERIOD, statistic: 'p99' })),
    ...groups.map(({ metrics }) => metrics.healthyHostCount({ period: PERIOD })),
    ...groups.map(({ metrics }) => metrics.unhealthyHostCount({ period: PERIOD })),
    loadBalancer.metrics.rejectedConnectionCount({ period: PERIOD }),
    loadBalancer.metrics.activeConnectionCount({ period: PERIOD }),
    stateMachine.metricFailed({ period: PERIOD }),
    recover.metricErrors({ period: PERIOD }),
    log.metricIncomingLogEvents({ period: PERIOD }),
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

function errorRate(group: Elbv2.ApplicationTargetGroup, side: number): CloudWatch.IMetric {
  return new MathExpression({
    expression: `IF(requests${side} > 20, FILL(errors${side}, 0) / requests${side}, 0)`,
    usingMetrics: {
      [`requests${side}`]: group.metrics.requestCount({ period: PERIOD }),
      [`errors${side}`]: group.metrics.httpCodeTarget(HttpCodeTarget.TARGET_5XX_COUNT, { period: PERIOD }),
    },
    period: PERIOD,
  });
}

function createDeadProxiesLog(stack: Cdk.Stack, { cluster }: Parts): Logs.LogGroup {
  const log = new LogGroup(stack, 'DeadLog', { retention: RetentionDays.THREE_MONTHS });
  const resources = [log.logGroupArn];
  const principals = [new ServicePrincipal('events.amazonaws.com')];
  log.addToResourcePolicy(new PolicyStatement({ actions: ['logs:PutLogEvents'], principals, resources }));
  new Rule(stack, 'Dead', {
    eventPattern: { source: ['aws.ecs'], detail: { clusterArn: [cluster.clusterArn] } },
    targets: [{ bind: () => ({ arn: log.logGroupArn }) }],
  });
  return log;
}

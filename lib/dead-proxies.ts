import { ArnFormat, Stack } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { Rule } from 'aws-cdk-lib/aws-events';
import { AddToResourcePolicyResult, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { METRIC_PERIOD } from './migration-metrics';
import { ProxyService } from './proxy-service';

interface DeadProxiesProps {
  readonly services: readonly ProxyService[];
}

/**
 * Counts the proxies that ended without having been told to, and keeps what ECS says of each in a log. A log and not the
 * rule's own metrics alone: whoever is woken by the alarm asks first which task it was, and why.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html
 */
export class DeadProxies extends Construct {
  private readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string, props: DeadProxiesProps) {
    super(scope, id);
    const { services } = props;
    this.logGroup = new LogGroup(this, 'Log', { retention: RetentionDays.THREE_MONTHS });
    const rule = new Rule(this, 'Rule', {
      description: 'Proxies that ended without having been told to',
      eventPattern: {
        source: ['aws.ecs'],
        detailType: ['ECS Task State Change'],
        detail: {
          clusterArn: [...new Set(services.map(({ cluster }) => cluster.clusterArn))],
          group: services.map(({ service }) => `service:${service.serviceName}`),
          lastStatus: ['STOPPED'],
          stopCode: ['EssentialContainerExited'],
        },
      },
      targets: [{ bind: () => ({ arn: this.logArn() }) }],
    });
    // Without it the rule's first events would be lost.
    const { policyDependable } = this.allowRule();
    if (policyDependable) rule.node.addDependency(policyDependable);
  }

  metric(): Metric {
    // Not metricIncomingLogEvents, which asks for a metric of another name.
    return new Metric({
      namespace: 'AWS/Logs',
      metricName: 'IncomingLogEvents',
      dimensionsMap: { LogGroupName: this.logGroup.logGroupName },
      statistic: 'Sum',
      period: METRIC_PERIOD,
    });
  }

  private allowRule(): AddToResourcePolicyResult {
    return this.logGroup.addToResourcePolicy(
      new PolicyStatement({
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        principals: [new ServicePrincipal('events.amazonaws.com')],
        resources: [this.logGroup.logGroupArn],
      }),
    );
  }

  /** The ARN of the log group as a target of a rule: without the `:*` at its end. */
  private logArn(): string {
    const resource = { service: 'logs', resource: 'log-group', resourceName: this.logGroup.logGroupName };
    return Stack.of(this).formatArn({ ...resource, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
  }
}

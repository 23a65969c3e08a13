import { Duration } from 'aws-cdk-lib';
import { IVpc } from 'aws-cdk-lib/aws-ec2';
import {
  ApplicationProtocol,
  ApplicationTargetGroup,
  Protocol,
  TargetType,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Construct } from 'constructs';
import { HEALTH_PATH } from '../core/admin';
import { DATA_PORT } from './ports';
import { checkDuration } from './refusals';

export interface StickyTargetGroupProps {
  /** The network of the proxies. */
  readonly vpc: IVpc;

  /**
   * How long a client keeps its proxy: from 1 second to 7 days, renewed by each request.
   * @default Duration.days(1)
   */
  readonly stickiness?: Duration;

  /**
   * How long a deregistered proxy may finish its requests: from 0 seconds to 1 hour.
   * @default Duration.minutes(5)
   */
  readonly deregistrationDelay?: Duration;
}

/**
 * A target group for the proxies of one side: ip targets, HTTPS to them too, and a client stays with its proxy.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/sticky-sessions.html
 * @example
 * const group = new StickyTargetGroup(this, 'Group', { vpc, stickiness: Duration.hours(8) });
 */
export class StickyTargetGroup extends Construct {
  public readonly targetGroup: ApplicationTargetGroup;

  constructor(scope: Construct, id: string, props: StickyTargetGroupProps) {
    super(scope, id);
    const stickiness = props.stickiness ?? Duration.days(1);
    const deregistrationDelay = props.deregistrationDelay ?? Duration.minutes(5);
    checkDuration('stickiness', stickiness, { min: Duration.seconds(1), max: Duration.days(7) });
    checkDuration('deregistrationDelay', deregistrationDelay, { min: Duration.seconds(0), max: Duration.hours(1) });
    this.targetGroup = new ApplicationTargetGroup(this, 'Group', {
      vpc: props.vpc,
      targetType: TargetType.IP,
      protocol: ApplicationProtocol.HTTPS,
      port: DATA_PORT,
      stickinessCookieDuration: stickiness,
      deregistrationDelay,
      healthCheck: {
        protocol: Protocol.HTTPS,
        path: HEALTH_PATH,
        healthyHttpCodes: '200',
        interval: Duration.seconds(10),
        timeout: Duration.seconds(5),
        healthyThresholdCount: 2,
        unhealthyThresholdCount: 2,
      },
    });
  }
}

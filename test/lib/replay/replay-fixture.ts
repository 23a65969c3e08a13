import { Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { Cluster } from 'aws-cdk-lib/aws-ecs';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { TrafficCapture } from '../../../lib/proxy/traffic-capture';
import { ReplayService } from '../../../lib/replay/replay-service';
import { ReplayServiceProps } from '../../../lib/replay/replay-service-props';
import { resourceLike } from '../fixture';

/** A replay with all that it needs, and other props over it. */
export function newReplay(stack: Stack, props: Partial<ReplayServiceProps> = {}): ReplayService {
  const bucket = (name: string) => Bucket.fromBucketName(stack, name, name);
  return new ReplayService(stack, 'Replay', {
    cluster: props.cluster ?? new Cluster(stack, 'Cluster', { vpc: new Vpc(stack, 'Vpc') }),
    capture: props.capture ?? TrafficCapture.toBucket(bucket('captures')),
    toUrl: 'http://new.internal:8080',
    store: bucket('store'),
    replayName: 'to-target',
    bucket: bucket('kept'),
    ...props,
  });
}

/** What its container runs. */
export function findCommand(template: Template): unknown[] {
  const [, { Properties }] = resourceLike(template, 'AWS::ECS::TaskDefinition', /Replay/);
  return (Properties.ContainerDefinitions as { Command: unknown[] }[])[0]!.Command;
}

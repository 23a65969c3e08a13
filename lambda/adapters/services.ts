import { DescribeServicesCommand, ECSClient, UpdateServiceCommand } from '@aws-sdk/client-ecs';
import { CutoverError } from '../../core/errors/errors';
import type { CutoverConfig } from '../../core/cutover/cutover-config';
import type { Side } from '../../core/traffic/weights';
import type { ServicesPort } from '../contract/ports';
import { CLIENT_CONFIG } from './client/client-config';
import { JsonService, callJson } from './client/json-call';
import { limited } from './client/limited';

const ECS_MS = 4_000;
/** Of one attempt: the autoscaling is suspended before anybody is held, and resumed behind it. */
const SCALING_MS = 2_000;
const DIMENSION = 'ecs:service:DesiredCount';
const SCALING: JsonService = {
  name: 'Application Auto Scaling',
  prefix: 'application-autoscaling',
  target: 'AnyScaleFrontendService',
  endpointVariable: 'AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING',
};

interface ScalableTargets {
  readonly ScalableTargets?: readonly {
    readonly SuspendedState?: {
      readonly DynamicScalingInSuspended?: boolean;
      readonly DynamicScalingOutSuspended?: boolean;
      readonly ScheduledScalingSuspended?: boolean;
    };
  }[];
}

/** The ECS services of both sides: what would change their tasks in the middle of a switch. */
export function servicesPort({ clusterArn, serviceNames }: CutoverConfig): ServicesPort {
  const ecs = limited('ECS', new ECSClient(CLIENT_CONFIG), ECS_MS);
  const target = (side: Side) => ({
    ServiceNamespace: 'ecs',
    ResourceId: `service/${clusterArn.split('/').at(-1)}/${serviceNames[side]}`,
    ScalableDimension: DIMENSION,
  });
  const describe = async (side: Side) => {
    const asked = new DescribeServicesCommand({ cluster: clusterArn, services: [serviceNames[side]] });
    return (await ecs.send(asked)).services?.[0];
  };
  return {
    deployment: async (side) => {
      const service = await describe(side);
      if (!service) return 'no service of that name';
      const { deployments = [] } = service;
      if (deployments.length > 1) return `${deployments.length} deployments`;
      const state = deployments[0]?.rolloutState ?? 'COMPLETED';
      return state === 'COMPLETED' ? undefined : `one that is ${state}`;
    },
    scaling: async (side) => {
      const { ResourceId, ...rest } = target(side);
      const asked = { ...rest, ResourceIds: [ResourceId] };
      const { ScalableTargets = [] } = (await call('DescribeScalableTargets', asked)) as ScalableTargets;
      const [found] = ScalableTargets;
      if (!found) return undefined;
      const { SuspendedState: suspended = {} } = found;
      return {
        scaleIn: suspended.DynamicScalingInSuspended ?? false,
        scaleOut: suspended.DynamicScalingOutSuspended ?? false,
        scheduled: suspended.ScheduledScalingSuspended ?? false,
      };
    },
    suspend: async (side, { scaleIn, scaleOut, scheduled }) => {
      const SuspendedState = {
        DynamicScalingInSuspended: scaleIn,
        DynamicScalingOutSuspended: scaleOut,
        ScheduledScalingSuspended: scheduled,
      };
      // What is not named stays as it is.
      await call('RegisterScalableTarget', { ...target(side), SuspendedState });
    },
    scaleOut: async (side, desiredCount) => {
      const { desiredCount: before } = (await describe(side)) ?? {};
      if (before === undefined) {
        throw new CutoverError('AwsUnavailable', `ECS must have the service '${serviceNames[side]}', got none`);
      }
      if (before >= desiredCount) return;
      await ecs.send(new UpdateServiceCommand({ cluster: clusterArn, service: serviceNames[side], desiredCount }));
    },
  };
}

/** @see https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html */
function call(action: string, input: object): Promise<unknown> {
  return callJson(SCALING, action, input, SCALING_MS);
}

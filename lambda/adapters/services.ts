import { setTimeout as pause } from 'node:timers/promises';
import { partition } from '@aws-sdk/core/client';
import { DescribeServicesCommand, ECSClient, UpdateServiceCommand } from '@aws-sdk/client-ecs';
import { SignatureV4 } from '@smithy/signature-v4';
import { CutoverError } from '../../core/errors/errors';
import type { CutoverConfig } from '../../core/cutover/cutover-config';
import { oneLine } from '../../core/text/one-line';
import type { Side } from '../../core/traffic/weights';
import type { ServicesPort } from '../contract/ports';
import { waitingFor, withinStep } from '../contract/time-left';
import { CLIENT_CONFIG } from './client/client-config';
import { limited } from './client/limited';

const ECS_MS = 4_000;
/** Of one attempt: the autoscaling is suspended before anybody is held, and resumed behind it. */
const SCALING_MS = 2_000;
const ATTEMPTS = 3;
const DIMENSION = 'ecs:service:DesiredCount';

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

/**
 * Application Auto Scaling speaks AWS JSON 1.1. Two calls, both of which may be repeated, are no reason for another client of
 * the SDK in the bundle of every step.
 *
 * @see https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
 */
async function call(action: string, input: object): Promise<unknown> {
  const rule = `Application Auto Scaling must respond to ${action}`;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await waitingFor(rule, () => callOnce(action, input));
    } catch (error) {
      const got = oneLine(error instanceof Error ? error.message : String(error), 300);
      const isFinal = error instanceof Rejected || attempt === ATTEMPTS || withinStep(SCALING_MS) < SCALING_MS / 2;
      if (isFinal) throw new CutoverError('AwsUnavailable', `${rule}, got ${got}`);
      await pause(100 * 2 ** attempt * Math.random());
    }
  }
}

/** The call itself was wrong, or is not allowed: the next one is, too. */
class Rejected extends Error {}

async function callOnce(action: string, input: object): Promise<unknown> {
  // Any client knows them.
  const { config } = new ECSClient(CLIENT_CONFIG);
  const region = await config.region();
  const { AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING: own, AWS_ENDPOINT_URL: all } = process.env;
  const url = new URL(own ?? all ?? `https://application-autoscaling.${region}.${partition(region).dnsSuffix}`);
  const body = JSON.stringify(input);
  const signer = new SignatureV4({
    ...{ credentials: config.credentials, region, sha256: config.sha256 },
    service: 'application-autoscaling',
  });
  const { headers } = await signer.sign({
    method: 'POST',
    protocol: url.protocol,
    hostname: url.hostname,
    ...(url.port !== '' && { port: Number(url.port) }),
    path: '/',
    headers: {
      host: url.host,
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `AnyScaleFrontendService.${action}`,
    },
    body,
  });
  const signal = AbortSignal.timeout(withinStep(SCALING_MS));
  const response = await fetch(url, { method: 'POST', headers, body, signal });
  const text = await response.text();
  if (response.ok) return text === '' ? {} : (JSON.parse(text) as unknown);
  const got = `${response.status} ${text}`;
  const isRejected = response.status < 500 && response.status !== 429 && !/Throttl|ConcurrentUpdate/.test(text);
  throw isRejected ? new Rejected(got) : new Error(got);
}

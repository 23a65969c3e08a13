import { SIDES, Side } from '../../core/traffic/weights';
import { PROXY_VARIABLES } from '../../core/cutover/cutover-config';
import { AwsError } from '../errors/aws-error';
import { isLoopback } from '../processes/loopback';
import type { ServiceSpec } from './runner';
import type { ContainerSpec } from './task-process';

/** The store of a user's sessions is not run here. */
const SESSION_STORE = 'DRAINSHIFT_SESSION_STORE_';
const LOCAL_ADDRESS = PROXY_VARIABLES.upstreamLocalAddress;

/** The service with its proxies before another backend than the template's. */
export function pointAt(service: ServiceSpec, upstreams: Readonly<Record<Side, string>>): ServiceSpec {
  const named = service.container.environment[PROXY_VARIABLES.side];
  const side = SIDES.find((each) => each === named);
  if (!side) {
    throw new AwsError(
      'InvalidParameterException',
      `'${PROXY_VARIABLES.side}' of '${service.name}' must be source or target, got '${named}'`,
    );
  }
  const upstream = upstreams[side];
  const environment = { ...Object.fromEntries(kept(service.container)), [PROXY_VARIABLES.upstream]: upstream };
  // Each task connects from the address that it has, as at AWS, where the backend can be reached from there.
  const addressVariable = isLoopback(new URL(upstream).hostname) ? { addressVariable: LOCAL_ADDRESS } : {};
  return { ...service, container: { ...service.container, environment, ...addressVariable } };
}

/** An address of the template is none of this machine. */
function kept({ environment }: ContainerSpec): [string, string][] {
  return Object.entries(environment).filter(([name]) => !name.startsWith(SESSION_STORE) && name !== LOCAL_ADDRESS);
}

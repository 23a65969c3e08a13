import { SIDES, Side } from '../../core/weights';
import { PROXY_VARIABLES } from '../../core/wiring';
import { AwsError } from '../aws-error';
import type { ServiceSpec } from './runner';

/** The store of a user's sessions is not run here. */
const SESSION_STORE = 'DRAINSHIFT_SESSION_STORE_';

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
  const kept = Object.entries(service.container.environment).filter(([name]) => !name.startsWith(SESSION_STORE));
  const environment = { ...Object.fromEntries(kept), [PROXY_VARIABLES.upstream]: upstreams[side] };
  return { ...service, container: { ...service.container, environment } };
}

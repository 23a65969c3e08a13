import { SIDES, Side } from '../../core/traffic/weights';
import { PROXY_VARIABLES, variableName } from '../../core/proxy/settings/setting-names';
import { AwsError } from '../errors/aws-error';
import { isLoopback } from '../processes/loopback';
import type { ServiceSpec } from './runner';
import type { ContainerSpec } from './task-process';

/** The store of a user's sessions is not run here. */
const SESSION_STORE: readonly string[] = PROXY_VARIABLES.filter((name) => name.startsWith('session_store_')).map(
  variableName,
);
const LOCAL_ADDRESS = variableName('upstream_local_address');
const SIDE = variableName('side');
const OTHER_SIDE: Readonly<Record<Side, Side>> = { source: 'target', target: 'source' };
const CAPTURE = variableName('capture');
/** A broker of the rehearsal's own has no logins. */
const CAPTURE_USER = variableName('capture_user');
const OTHER_UPSTREAM = variableName('other_upstream');

/** What the proxies reach on this machine. */
export interface LocalPlaces {
  /** Where the proxies of each side send their requests, instead of the template's own upstreams. */
  readonly upstreams: Readonly<Record<Side, string>>;
  /** Where those that record do so, instead of the store of the template. @default - in that store */
  readonly captureStore?: string | undefined;
}

/** The service with its proxies before another backend than the template's. */
export function pointAt(service: ServiceSpec, { upstreams, captureStore }: LocalPlaces): ServiceSpec {
  const named = service.container.environment[SIDE];
  const side = SIDES.find((each) => each === named);
  if (!side) {
    throw new AwsError(
      'InvalidParameterException',
      `'${SIDE}' of '${service.name}' must be source or target, got '${named}'`,
    );
  }
  const upstream = upstreams[side];
  const isKept = ([name]: readonly [string, string]) => captureStore === undefined || name !== CAPTURE_USER;
  const own = Object.fromEntries(kept(service.container).filter(isKept));
  const environment = {
    ...own,
    [variableName('upstream')]: upstream,
    ...pointOther(own, upstreams[OTHER_SIDE[side]]),
    ...(captureStore !== undefined && own[CAPTURE] !== undefined && { [CAPTURE]: captureStore }),
  };
  // Each task connects from the address that it has, as at AWS, where the backend can be reached from there.
  const addressVariable = isLoopback(new URL(upstream).hostname) ? { addressVariable: LOCAL_ADDRESS } : {};
  return { ...service, container: { ...service.container, environment, ...addressVariable } };
}

/** Of proxies that can switch. */
function pointOther(own: Readonly<Record<string, string>>, upstream: string): Record<string, string> {
  return own[OTHER_UPSTREAM] === undefined ? {} : { [OTHER_UPSTREAM]: upstream };
}

/** An address of the template is none of this machine. */
function kept({ environment }: ContainerSpec): [string, string][] {
  return Object.entries(environment).filter(([name]) => !SESSION_STORE.includes(name) && name !== LOCAL_ADDRESS);
}

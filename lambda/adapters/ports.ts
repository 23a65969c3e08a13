import { setTimeout as pause } from 'node:timers/promises';
import { CutoverConfig } from '../../core/cutover/cutover-config';
import type { Ports } from '../contract/ports';
import { alarmsPort } from './alarms';
import { functionsPort } from './functions';
import { hostsPort } from './hosts';
import { identityPort } from './identity';
import { cachedSecret } from './client/secret';
import { keyStoresPort } from './key-store/key-stores';
import { loadBalancerPort } from './load-balancer/load-balancer';
import { metricsPort } from './metrics';
import { notifierPort } from './notifier';
import { proxiesPort } from './proxies/proxies';
import { servicesPort } from './services';
import { smokePort } from './smoke/smoke';
import { urlsPort } from './urls';
import { replaysPort } from './store/replays';
import { storePort } from './store/store';
import { switchStorePort } from './store/switch-store';

/** Read each time: it may have been rotated. */
const STORE_SECRET = { cacheMs: 0, limitMs: 5_000 };

/** The ports of a deployed cutover. */
export function portsFrom(config: CutoverConfig): Ports {
  return {
    loadBalancer: loadBalancerPort(config),
    proxies: proxiesPort(config),
    services: servicesPort(config),
    smoke: smokePort(config),
    store: storePort(config.storeBucket),
    switches: switchStorePort(config.storeBucket),
    functions: functionsPort(),
    stores: keyStoresPort((arn) => cachedSecret(arn, STORE_SECRET)()),
    hosts: hostsPort(),
    replays: replaysPort(config.storeBucket),
    urls: urlsPort(),
    identity: identityPort(config),
    alarms: alarmsPort(),
    notifier: notifierPort(config),
    metrics: metricsPort(config),
    now: () => Date.now(),
    pause: (milliseconds) => pause(milliseconds),
  };
}

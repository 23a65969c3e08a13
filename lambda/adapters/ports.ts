import { setTimeout as pause } from 'node:timers/promises';
import { CutoverWiring } from '../../core/cutover/cutover-config';
import type { Ports } from '../contract/ports';
import { alarmsPort } from './alarms';
import { identityPort } from './identity';
import { loadBalancerPort } from './load-balancer/load-balancer';
import { metricsPort } from './metrics';
import { notifierPort } from './notifier';
import { proxiesPort } from './proxies/proxies';
import { smokePort } from './smoke/smoke';
import { storePort } from './store/store';

/** The ports of a deployed cutover. */
export function portsFrom(wiring: CutoverWiring): Ports {
  return {
    loadBalancer: loadBalancerPort(wiring),
    proxies: proxiesPort(wiring),
    smoke: smokePort(wiring),
    store: storePort(wiring.storeBucket),
    identity: identityPort(wiring),
    alarms: alarmsPort(),
    notifier: notifierPort(wiring),
    metrics: metricsPort(wiring),
    now: () => Date.now(),
    pause: (milliseconds) => pause(milliseconds),
  };
}

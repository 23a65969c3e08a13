import type { Outcome } from '../../core/cutover/run';
import type { TrafficTally } from '../traffic/counting/tally';
import { untried } from '../traffic/counting/tried';
import type { OwnClientsTally } from '../load-balancer/counting/own-clients';
import { SwitchSeen, listSwitchFaults } from './switch-seen';
import { listUnexercised, listWrong } from './scenario-seen';
import { findLosses, lossesOfYours } from './losses';

/** What a rehearsal shows: how the cutover ended, what was lost, and what was never tried. */
export interface Verdict {
  readonly outcome: Outcome;
  /** Empty when nothing was lost. */
  readonly lost: readonly string[];
  /** Kinds of traffic that no client of the rehearsal had, or that never got a good response. */
  readonly notTried: readonly string[];
}

interface Judged {
  readonly outcome: Outcome;
  readonly traffic: TrafficTally;
  readonly ownClients?: OwnClientsTally | undefined;
  readonly switchSeen?: SwitchSeen | undefined;
}

export function reachVerdict({ outcome, traffic, ownClients, switchSeen }: Judged): Verdict {
  const wrong = listWrong(traffic.entries ?? []);
  const lost = [
    ...(switchSeen ? listSwitchFaults(switchSeen) : []),
    ...findLosses(traffic),
    ...(ownClients ? lossesOfYours(ownClients) : []),
    ...(wrong === undefined ? [] : [wrong]),
  ];
  return { outcome, lost, notTried: [...listUnexercised(traffic.entries ?? []), ...untried(traffic)] };
}

/** `nothing lost of what was tried; NOT TRIED: WebSockets`, `LOST: 3 of 8,044 requests failed`. */
export function lossLine({ lost, notTried }: Verdict): string {
  const missing = notTried.length > 0 ? `; NOT TRIED: ${notTried.join(', ')}` : '';
  if (lost.length > 0) return `LOST: ${lost.join(', ')}${missing}`;
  return `nothing lost${notTried.length > 0 ? ' of what was tried' : ''}${missing}`;
}

import type { Outcome } from '../../core/cutover/run';
import { findDirection } from '../../core/plan/direction';
import type { Plan } from '../../core/plan/plan';
import type { EntryTally } from '../traffic/counting/entries';
import type { TrafficTally } from '../traffic/counting/tally';
import { neverRight, untried } from '../traffic/counting/tried';
import type { OwnClientsTally } from '../load-balancer/counting/own-clients';
import type { RecordingResult } from '../traffic/counting/recording-result';
import { CaptureSeen, listCaptureProblems } from './capture-seen';
import { listRecordingProblems, listUnproven } from './recording-seen';
import { SwitchSeen, listSwitchFaults } from './switch-seen';
import { findLostSessions } from './lost-sessions';
import { listNeverRight, listUnexercised, listWrong } from './scenario-seen';
import { findSlower, listSlower } from './slower';
import { findLosses, lossesOfYours } from './losses';

/** What a rehearsal shows: how the cutover ended, what was lost, and what was never tried. */
export interface Verdict {
  readonly outcome: Outcome;
  /** Empty when nothing was lost. */
  readonly lost: readonly string[];
  /** Kinds of traffic that no client of the rehearsal had, and entries of a scenario that were never sent, or never to the side that gets the traffic. */
  readonly notTried: readonly string[];
  /** Entries of a scenario that take much longer on the side that gets the traffic. Nothing is lost by that, and no exit code changes. */
  readonly slower: readonly string[];
}

interface Judged {
  readonly outcome: Outcome;
  /** Which side gets the traffic. @default - the target */
  readonly plan?: Pick<Plan, 'from'>;
  readonly traffic: TrafficTally;
  readonly ownClients?: OwnClientsTally | undefined;
  readonly switchSeen?: SwitchSeen | undefined;
  readonly captureSeen?: CaptureSeen | undefined;
  readonly recordingSeen?: RecordingResult | undefined;
}

export function reachVerdict(judged: Judged): Verdict {
  const { outcome, plan, traffic, ownClients, switchSeen, captureSeen, recordingSeen } = judged;
  const { entries = [] } = traffic;
  const lost = [
    ...(switchSeen ? listSwitchFaults(switchSeen) : []),
    ...findLosses(traffic),
    ...(ownClients ? lossesOfYours(ownClients) : []),
    ...listFaultsOfEntries(entries),
    ...(captureSeen ? listCaptureProblems(captureSeen) : []),
    ...(recordingSeen ? listRecordingProblems(recordingSeen) : []),
  ];
  const never = traffic.entries ? listNeverRight(entries) : neverRight(traffic);
  if (never.length > 0) lost.push(`never right: ${never.join(', ')}`);
  const direction = findDirection(plan);
  const slower = listSlower(findSlower(entries, { direction, minShare: traffic.machine?.minShare }), direction);
  const unproven = recordingSeen ? listUnproven(recordingSeen) : [];
  const notTried = [...unproven, ...listUnexercised(entries, direction.to), ...untried(traffic)];
  return { outcome, lost, notTried, slower };
}

function listFaultsOfEntries(entries: readonly EntryTally[]): string[] {
  const wrong = listWrong(entries);
  const sessions = findLostSessions(entries).map(
    ({ side, beganOn }) => `sessions of the ${beganOn} not there on the ${side}`,
  );
  return [...(wrong === undefined ? [] : [wrong]), ...new Set(sessions)];
}

/** `nothing lost of what was tried; SLOWER: …; NOT TRIED: WebSockets`, `LOST: 3 of 8,044 requests failed`. */
export function lossLine({ lost, notTried, slower }: Verdict): string {
  const late = slower.length > 0 ? `; SLOWER: ${slower.join(', ')}` : '';
  const missing = notTried.length > 0 ? `; NOT TRIED: ${notTried.join(', ')}` : '';
  if (lost.length > 0) return `LOST: ${lost.join(', ')}${late}${missing}`;
  return `nothing lost${notTried.length > 0 ? ' of what was tried' : ''}${late}${missing}`;
}

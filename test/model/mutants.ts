import { NEVER_HELD, decided, ended, hold, release } from '../../core/proxy/hold';
import { findServedSide } from '../../core/switch/regime';
import { SwitchView, nextMove } from '../../core/switch/coordinator';
import { PROTOCOL, Rules, Setup } from '../../core/switch/switch-model';

export interface Mutant {
  /** For `npm run bench:model -- --mutant NAME`. */
  readonly name: string;
  readonly what: string;
  readonly rules: Rules;
  readonly setup: Setup;
}

const SETUP: Setup = { sources: 2, targets: 0, joiners: 0, crashes: 1, epochs: 1 };

function mutant(name: string, what: string, changed: Partial<Rules>, setup: Partial<Setup> = {}): Mutant {
  return { name, what, rules: { ...PROTOCOL, ...changed }, setup: { ...SETUP, ...setup } };
}

/** A coordinator for whom a member in one of these states is no reason to wait. */
function commitsDespite(isOverlooked: (state: SwitchView['members'][number]) => boolean): Partial<Rules> {
  return { nextMove: (view) => nextMove({ ...view, members: view.members.filter((each) => !isOverlooked(each)) }) };
}

/** One broken rule each. The model must find what each of them costs. */
export const MUTANTS: readonly Mutant[] = [
  mutant('leaseServes', 'a task whose lease has expired serves the side in force', {
    afterLease: (held, nowMs) => {
      const next = PROTOCOL.afterLease(held, nowMs);
      return next.state === 'deciding' ? ended(next, next.outcomes.abort, nowMs) : next;
    },
  }),
  mutant('startsBlind', 'a task that starts serves its own backend without having read the regime', {
    startUnder: ({ committed }, home) => ({ hold: { ...NEVER_HELD, committed }, side: home }),
  }),
  mutant(
    'unheld',
    'a commit does not wait for tasks that do not hold',
    commitsDespite(({ report }) => report?.hold.state === 'none'),
  ),
  mutant('busy', 'a commit does not wait for requests in flight', {
    view: (_, view) => ({ ...view, ...(view.report && { report: { ...view.report, inFlight: 0 } }) }),
  }),
  mutant('abandoned', 'a request that was given up counts as ended', {
    view: (_, view) => ({ ...view, ...(view.report && { report: { ...view.report, abandoned: 0 } }) }),
  }),
  mutant(
    'dead',
    'a dead task is a drained task',
    commitsDespite(({ life }) => life === 'stopped'),
  ),
  mutant('restarted', 'a task that was started anew is the same task', {
    view: (_, view) => ({ ...view, ...(view.report && { report: { ...view.report, instance: view.instance } }) }),
  }),
  mutant('lastWriter', 'the last writer of a decision wins', { mayWrite: () => true }),
  mutant(
    'anyRelease',
    'a task follows a release of any epoch',
    {
      release: (now, order, nowMs) => release(now, { ...order, epoch: now.epoch }, nowMs),
    },
    { epochs: 2, crashes: 0 },
  ),
  mutant('storeAway', 'a task that cannot reach the store takes it for an abort', { ask: () => 'abort' }),
  mutant('releaseFirst', 'a task is released before the decision is written', { mayRelease: () => true }),
  mutant(
    'twoSwitches',
    'a switch begins before the last one is decided',
    {
      beginSwitch: (regime, epoch, switching) => ({ ...regime, epoch, switching }),
    },
    { epochs: 2, crashes: 0 },
  ),
  mutant('wakes', 'a task that wakes up forwards what it had parked before it looks at its lease', {
    maySend: () => true,
  }),
  mutant('unlisted', 'a commit does not wait until the tasks are listed', {
    nextMove: (view) =>
      view.regime.switching
        ? nextMove({ ...view, regime: { ...view.regime, switching: { ...view.regime.switching, members: [] } } })
        : nextMove(view),
  }),
  mutant('apart', 'the regime after a commit leaves each task to its own backend', {
    settle: (regime, outcome) => ({ ...PROTOCOL.settle(regime, outcome), isJoined: false }),
  }),
  mutant(
    'leftSide',
    'the members of a switch are the tasks whose own backend is left',
    { enlists: (home, regime) => findServedSide(home, regime) === regime.side },
    { sources: 1, targets: 1, crashes: 0 },
  ),
  mutant(
    'byHand',
    'a hold that a person made counts as that of the switch',
    {
      view: (_, view) => {
        const { report } = view;
        return report ? { ...view, report: { ...report, hold: { ...report.hold, isOfSwitch: true } } } : view;
      },
    },
    { sources: 1, crashes: 0, hands: 1 },
  ),
  mutant(
    'missedCommit',
    'the order of a switch does not say which one was committed last',
    { hold: (now, order, nowMs) => hold(now, { ...order, committed: 0 }, nowMs) },
    { sources: 1, targets: 1, crashes: 0, epochs: 2 },
  ),
  mutant(
    'lateRetarget',
    'a retarget is followed whenever it arrives',
    { findRetargetConflict: () => undefined },
    { sources: 1, targets: 1, crashes: 0, epochs: 4 },
  ),
  mutant(
    'lateDecision',
    'a decision that was read is followed whatever switch holds by then',
    { decided: (now, _epoch, outcome, nowMs) => decided(now, now.epoch, outcome, nowMs) },
    { epochs: 2, crashes: 0 },
  ),
  mutant(
    'blindWrite',
    'a regime is written whatever was written since it was read',
    { mayOverwrite: () => true },
    { sources: 1, targets: 1, crashes: 0, epochs: 2 },
  ),
  mutant(
    'unverifiedFreeze',
    'a dead task is a drained task when the hook said that it froze, and no write was rejected',
    { mayPass: () => true },
    { hook: 'fences' },
  ),
  mutant(
    'hookSaidNo',
    'a commit does not wait for the hook to pass',
    { nextMove: (view) => nextMove({ ...view, hook: 'passed', isFenced: view.hookFences }) },
    { hook: 'fences' },
  ),
  mutant(
    'unprovedFreeze',
    'a hook that tries no write counts as a fence',
    { nextMove: (view) => nextMove({ ...view, hookFences: true, isFenced: view.hook === 'passed' }) },
    { hook: 'unproved' },
  ),
  mutant(
    'lateThaw',
    'a backend follows a thaw of any epoch',
    {
      followCall: (backend, call) =>
        call.isFrozen ? PROTOCOL.followCall(backend, call) : { ...backend, isFrozen: false },
    },
    { sources: 1, epochs: 2, hook: 'fences' },
  ),
];

import { release } from '../../core/proxy/hold';
import { SwitchView, nextMove } from '../../core/switch/coordinator';
import { PROTOCOL, Rules, Setup } from './switch-model';

export interface Mutant {
  readonly what: string;
  readonly rules: Rules;
  readonly setup: Setup;
}

const SETUP: Setup = { sources: 2, targets: 0, joiners: 0, crashes: 1, epochs: 1 };

function mutant(what: string, changed: Partial<Rules>, setup: Partial<Setup> = {}): Mutant {
  return { what, rules: { ...PROTOCOL, ...changed }, setup: { ...SETUP, ...setup } };
}

/** A coordinator for whom a member in one of these states is no reason to wait. */
function commitsDespite(isOverlooked: (state: SwitchView['members'][number]) => boolean): Partial<Rules> {
  return { nextMove: (view) => nextMove({ ...view, members: view.members.filter((each) => !isOverlooked(each)) }) };
}

/** One broken rule each. The model must find what each of them costs. */
export const MUTANTS: readonly Mutant[] = [
  mutant('a task whose lease has expired serves the side in force', {
    afterLease: (held, nowMs) => {
      const next = PROTOCOL.afterLease(held, nowMs);
      return next.state === 'deciding' ? { state: 'none', epoch: next.epoch, releasedTo: next.outcomes.abort } : next;
    },
  }),
  mutant('a task that starts serves its own backend without having read the regime', {
    startUnder: (_, home) => ({ hold: { state: 'none', epoch: 0, releasedTo: undefined }, side: home }),
  }),
  mutant(
    'a commit does not wait for tasks that do not hold',
    commitsDespite(({ report }) => report?.hold.state === 'none'),
  ),
  mutant('a commit does not wait for requests in flight', {
    view: (_, view) => ({ ...view, ...(view.report && { report: { ...view.report, inFlight: 0 } }) }),
  }),
  mutant('a request that was given up counts as ended', {
    view: (_, view) => ({ ...view, ...(view.report && { report: { ...view.report, abandoned: 0 } }) }),
  }),
  mutant(
    'a dead task is a drained task',
    commitsDespite(({ life }) => life === 'stopped'),
  ),
  mutant('a task that was started anew is the same task', {
    view: (_, view) => ({ ...view, ...(view.report && { report: { ...view.report, instance: view.instance } }) }),
  }),
  mutant('the last writer of a decision wins', { mayWrite: () => true }),
  mutant(
    'a task follows a release of any epoch',
    {
      release: (now, order, nowMs) =>
        now.state === 'none'
          ? release(now, order, nowMs)
          : { next: { state: 'none', epoch: now.epoch, releasedTo: order.to } },
    },
    { epochs: 2, crashes: 0 },
  ),
  mutant('a task that cannot reach the store takes it for an abort', { ask: () => 'abort' }),
  mutant('a task is released before the decision is written', { mayRelease: () => true }),
  mutant(
    'a switch begins before the last one is decided',
    {
      beginSwitch: (regime, epoch, switching) => ({ epoch, side: regime.side, isJoined: regime.isJoined, switching }),
    },
    { epochs: 2, crashes: 0 },
  ),
  mutant('a task that wakes up forwards what it had parked before it looks at its lease', { maySend: () => true }),
  mutant('a commit does not wait until the tasks are listed', {
    nextMove: (view) =>
      view.regime.switching
        ? nextMove({ ...view, regime: { ...view.regime, switching: { ...view.regime.switching, members: [] } } })
        : nextMove(view),
  }),
  mutant('the regime after a commit leaves each task to its own backend', {
    settle: (regime, outcome) => ({ ...PROTOCOL.settle(regime, outcome), isJoined: false }),
  }),
];

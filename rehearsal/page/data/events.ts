import { formatOdds } from '../../../core/judge/odds';
import type { WeightChange } from '../../cloud/weight-history';
import { formatWeights } from '../../../core/traffic/weights';
import { describe } from './describe';
import type { Attempt, Cutover, Entry, HookCalled, Poll } from './read';
import { readWeights } from './read';
import { Figures, listLooks, sumFigures } from './series';

/**
 * `state`: a step of the cutover. `gate`: it waited for a person or for a window. `fault`: broken on purpose. `clients`: seen by those
 * of a rehearsal.
 */
export type EventKind =
  'state' | 'gate' | 'judge' | 'polls' | 'hold' | 'decision' | 'weights' | 'hook' | 'fault' | 'clients';

export interface Event {
  readonly atMs: number;
  readonly kind: EventKind;
  readonly what: string;
  readonly detail: string;
}

/** What only a rehearsal knows. */
export interface SeenOutside {
  /** As the load balancer itself was told. */
  readonly weights?: readonly WeightChange[];
  readonly firstBadResponseAt?: string | undefined;
  /** What was broken on purpose, and when. */
  readonly fault?: { readonly name: string; readonly beganSeconds: number };
}

const GATES = ['Approve', 'Window'];
const DECISIONS = ['Switch'];
const NO_DETAIL = ['none', ''];
/** A change that the cutover made is in its own timeline at most so much later. */
const NOTED_MS = 5_000;

/** What happened, in its order. The looks between two other events are one line. */
export function listEvents(cutover: Cutover, outside: SeenOutside = {}): Event[] {
  const others = [
    ...cutover.entries.map(describeEntry),
    ...describeBegin(cutover),
    ...cutover.restarts.map((atMs): Event => ({
      ...{ atMs, kind: 'gate', what: 'Go on' },
      detail: 'a person said that what was seen until then is good: the odds start again',
    })),
    ...cutover.polls.flatMap(describeSaid),
    ...cutover.switches.flatMap(describeHold),
    ...cutover.hooks.map(describeHook),
    ...describeChanges(cutover, outside.weights ?? []),
    ...describeFault(cutover, outside.fault),
    ...describeFirstBad(outside.firstBadResponseAt),
  ].sort((a, b) => a.atMs - b.atMs);
  return [...others, ...describeLooks(cutover, others)].sort((a, b) => a.atMs - b.atMs);
}

function describeEntry({ atMs, state, detail }: Entry): Event {
  const kind = GATES.includes(state) ? 'gate' : DECISIONS.includes(state) ? 'decision' : 'state';
  const text = describe(detail);
  return { atMs, kind, what: state, detail: NO_DETAIL.includes(text) ? '' : text };
}

function describeBegin({ begin, direction }: Cutover): Event[] {
  if (!begin) return [];
  const { atMs, routes, responded } = begin;
  const classes = routes.length === 0 ? 'no route class has enough of them' : `route classes ${routes.join(', ')}`;
  const detail = `${number(responded)} responses of the ${direction.from} say what is slow; ${classes}`;
  return [{ atMs, kind: 'judge', what: 'Compare', detail }];
}

function describeSaid({ atMs, said, odds }: Poll): Event[] {
  if (said === undefined) return [];
  const detail = odds === undefined ? said : `${said} at odds of ${formatOdds(odds)}`;
  return [{ atMs, kind: 'judge', what: 'Verdict', detail }];
}

function describeHold({ epoch, to, outcome, why, by, heldMs, decidedMs, releasedMs }: Attempt): Event[] {
  const hold = (atMs: number, what: string, detail: string): Event => ({ atMs, kind: 'hold', what, detail });
  const because = why === undefined ? '' : `, because ${why}`;
  return [
    ...(heldMs === undefined ? [] : [hold(heldMs, 'Hold', `epoch ${epoch}: new requests wait`)]),
    ...(decidedMs === undefined
      ? []
      : [
          { ...hold(decidedMs, 'Decided', `epoch ${epoch}: ${outcome} by ${by}${because}`), kind: 'decision' as const },
        ]),
    ...(releasedMs === undefined
      ? []
      : [
          hold(
            releasedMs,
            'Released',
            `epoch ${epoch}: all that waited${outcome === 'commit' ? ` go to the ${to}` : ''}`,
          ),
        ]),
  ];
}

/** Those that the cutover does not account for: by a person, or by something that broke. */
function describeChanges({ entries, fromMs }: Cutover, changes: readonly WeightChange[]): Event[] {
  const noted = entries.flatMap(({ atMs, detail }) => {
    const weights = readWeights(detail['weights']);
    return weights ? [{ atMs, text: formatWeights(weights) }] : [];
  });
  return changes.flatMap(({ at, weights, by }) => {
    const atMs = Date.parse(at);
    const text = formatWeights(weights);
    const isOwn = noted.some((each) => each.text === text && Math.abs(each.atMs - atMs) <= NOTED_MS);
    if (isOwn || !(atMs > fromMs)) return [];
    return [{ atMs, kind: 'weights' as const, what: 'Weights', detail: `${text}, set by ${by}` }];
  });
}

function describeHook({ atMs, name, when, outcome, why, calls }: HookCalled): Event {
  const because = why === undefined ? '' : `: ${why}`;
  const said = outcome === 'notYet' ? 'said not yet' : outcome;
  const often = calls === undefined ? '' : `, ${calls} ${calls === 1 ? 'call' : 'calls'}`;
  return { atMs, kind: 'hook', what: name, detail: `${when}, ${said}${often}${because}` };
}

function describeFault({ fromMs }: Cutover, fault: SeenOutside['fault']): Event[] {
  if (!fault || !Number.isFinite(fault.beganSeconds)) return [];
  return [{ atMs: fromMs + fault.beganSeconds * 1000, kind: 'fault', what: 'Fault', detail: fault.name }];
}

function describeFirstBad(at: string | undefined): Event[] {
  const atMs = Date.parse(at ?? '');
  if (Number.isNaN(atMs)) return [];
  return [{ atMs, kind: 'clients', what: 'First wrong response', detail: 'that a client got' }];
}

/** One line for each run of looks in which nothing else happened. */
function describeLooks(cutover: Cutover, others: readonly Event[]): Event[] {
  const runs: Figures[][] = [];
  let next = 0;
  for (const look of listLooks(cutover)) {
    const before = next;
    while (next < others.length && others[next]!.atMs <= look.toMs) next += 1;
    if (next > before || runs.length === 0) runs.push([look]);
    else runs.at(-1)!.push(look);
  }
  return runs.map(describeRun);
}

function describeRun(looks: readonly Figures[]): Event {
  const { source, target } = sumFigures(looks);
  const unread = looks.filter(({ counted }) => !counted).length;
  const odds = looks.reduce((highest, look) => Math.max(highest, look.odds ?? 0), 0);
  const parts = [
    `source ${number(source.requests)} requests, ${number(source.errors)} errors`,
    `target ${number(target.requests)} requests, ${number(target.errors)} errors`,
    ...(odds > 0 ? [`odds at most ${formatOdds(odds)}`] : []),
    ...(unread > 0 ? [`${number(unread)} could not read both sides`] : []),
  ];
  const what = looks.length === 1 ? '1 poll' : `${number(looks.length)} polls`;
  return { atMs: looks[0]!.toMs, kind: 'polls', what, detail: parts.join('; ') };
}

const number = (value: number) => value.toLocaleString('en-US');

import { SIDES, Side } from '../../core/traffic/weights';
import type { EntryTally, SessionCounts } from '../traffic/counting/entries';

/** It is said only when chance explains it less often than this. */
const MAX_BY_CHANCE = 0.01;

/** A session that a side does not know, as one entry of a scenario showed. */
export interface LostSession {
  readonly entry: string;
  /** Which does not know it. */
  readonly side: Side;
  readonly beganOn: Side;
  /** Requests with such a session; all of them showed it. */
  readonly count: number;
  /** What was wrong with them; undefined where the responses were as expected, and each began another session. */
  readonly example?: SessionCounts['example'];
}

/**
 * The entries that go wrong on a side with each session of the other side, or get another session there, and not with sessions of the side
 * itself. One that is wrong for every client is no session that was lost, and one that is wrong by chance is none either.
 */
export function findLostSessions(entries: readonly EntryTally[]): LostSession[] {
  return entries.flatMap((entry) => SIDES.flatMap((side) => find(entry, side) ?? []));
}

function find({ name, bySession }: EntryTally, side: Side): LostSession | undefined {
  const beganOn: Side = side === 'source' ? 'target' : 'source';
  const foreign = bySession[side][beganOn];
  const own = bySession[side][side];
  const atHome = bySession[beganOn][beganOn];
  const found = { entry: name, side, beganOn, count: count(foreign) };
  if (atHome.right === 0 || own.right === 0) return undefined;
  if (foreign.right === 0 && isSure(foreign.wrong, own.wrong, count(own)))
    return { ...found, example: foreign.example };
  const isRenewedEach = foreign.renewed === count(foreign) && atHome.renewed === 0;
  return isRenewedEach && isSure(foreign.renewed, own.renewed, count(own)) ? found : undefined;
}

const count = ({ right, wrong }: SessionCounts) => right + wrong;

/** Whether so many in a row are more than chance, where `own` of `all` are the usual ones. */
function isSure(inARow: number, own: number, all: number): boolean {
  return ((own + 1) / (all + 2)) ** inARow <= MAX_BY_CHANCE;
}

/** `'look into the cart' failed on the target for clients that began on the source: session not there (expected 200, got 401)` */
export function describeLostSession({ entry, side, beganOn, count: times, example }: LostSession): string {
  const clients = `for clients that began on the ${beganOn}`;
  const each = `each of ${times.toLocaleString('en-US')}`;
  if (!example) return `'${entry}' began another session on the ${side} ${clients}: session not there (${each})`;
  const what = `expected ${example.expected}, got ${example.got}`;
  return `'${entry}' failed on the ${side} ${clients}: session not there (${each}: ${what})`;
}

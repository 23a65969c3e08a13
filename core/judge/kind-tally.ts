import type { LedgerReport } from '../proxy/admin-api';
import { ByKind, CONNECTION_KINDS, eachKind } from '../proxy/connections';

/** How connections of a side ended otherwise than by themselves. */
export const KIND_ENDINGS = ['moved', 'closed', 'forced', 'lost', 'unknown'] as const;
export type KindEnding = (typeof KIND_ENDINGS)[number];
type Mutable = Record<KindEnding, number>;
export type KindEndings = ByKind<Readonly<Mutable>>;
export type MutableKindEndings = ByKind<Mutable>;

export const NO_KIND_ENDINGS: KindEndings = eachKind(() => newEndings());

function newEndings(): Mutable {
  return { moved: 0, closed: 0, forced: 0, lost: 0, unknown: 0 };
}

export function copyKindEndings(from: KindEndings): MutableKindEndings {
  return eachKind((kind) => ({ ...from[kind] }));
}

export function subtractKindEndings(now: KindEndings, before: KindEndings): KindEndings {
  return eachKind((kind) => subtract(now[kind], before[kind]));
}

function subtract(now: Readonly<Mutable>, before: Readonly<Mutable>): Mutable {
  const less = newEndings();
  for (const ending of KIND_ENDINGS) less[ending] = now[ending] - before[ending];
  return less;
}

export function sumEnding(endings: KindEndings, ending: KindEnding): number {
  return CONNECTION_KINDS.reduce((sum, kind) => sum + endings[kind][ending], 0);
}

/** What a report says of each kind. */
interface SeenKind {
  readonly active: number;
  readonly moved: number;
  readonly closed: number;
  readonly forced: number;
}

const PARTS = ['active', 'moved', 'closed', 'forced'] as const;
const RADIX = 36;

/**
 * What a task reported last of each kind, in a few bytes: the state of a cutover holds one for each of up to a thousand tasks. Numbers
 * of base 36, nothing for a zero.
 */
export function packKinds(report: LedgerReport): string {
  const kinds = readKinds(report);
  const parts = CONNECTION_KINDS.flatMap((kind) => PARTS.map((part) => kinds[kind][part]));
  return parts
    .map((count) => (count === 0 ? '' : count.toString(RADIX)))
    .join()
    .replace(/,+$/, '');
}

function unpackKinds(packed: string): ByKind<SeenKind> {
  const parts = packed.split(',').map((text) => (text ? Number.parseInt(text, RADIX) : 0));
  const find = (kind: number, part: number) => parts[kind * PARTS.length + part] ?? 0;
  return eachKind((kind) => {
    const at = CONNECTION_KINDS.indexOf(kind);
    return { active: find(at, 0), moved: find(at, 1), closed: find(at, 2), forced: find(at, 3) };
  });
}

/** An older proxy does not say of which kinds those are that its drain has cut: then their sum is less than that of all. */
function readKinds({ active, ended, drainForcedByKind }: LedgerReport): ByKind<SeenKind> {
  return eachKind((kind) => {
    const { moved, closed } = ended[kind];
    return { active: active[kind], moved, closed, forced: drainForcedByKind?.[kind] ?? 0 };
  });
}

/** What of a report is news, as its counters count for all kinds together. */
export interface ReportNews {
  /** Whether its counters began at zero since the look before. */
  readonly isOtherInstance: boolean;
  readonly isOtherProcess: boolean;
}

/** @param packed of the look before; absent of a task that was not seen yet */
export function countKinds(
  added: MutableKindEndings,
  packed: string | undefined,
  report: LedgerReport,
  { isOtherInstance, isOtherProcess }: ReportNews,
): void {
  const [now, before] = [readKinds(report), unpackKinds(packed ?? '')];
  for (const kind of CONNECTION_KINDS) {
    const base = isOtherInstance ? undefined : before[kind];
    added[kind].moved += now[kind].moved - (base?.moved ?? 0);
    added[kind].closed += now[kind].closed - (base?.closed ?? 0);
    if (isOtherProcess) added[kind].forced += now[kind].forced;
    else if (base) added[kind].forced += Math.max(0, now[kind].forced - base.forced);
  }
}

/** What a task held when it was last seen, and that ended with it. */
export function countHeld(added: MutableKindEndings, packed: string | undefined, ending: 'lost' | 'unknown'): void {
  const held = unpackKinds(packed ?? '');
  for (const kind of CONNECTION_KINDS) added[kind][ending] += held[kind].active;
}

/** A worker died: what it held is `forced` in the report that counts from zero. */
export function countHeldByWorker(added: MutableKindEndings, { ended }: LedgerReport): void {
  for (const kind of CONNECTION_KINDS) added[kind].lost += ended[kind].forced;
}

/** One that counts as gone holds nothing any more. */
export function withoutHeld(packed: string): string {
  const parts = packed.split(',');
  return parts
    .map((text, index) => (index % PARTS.length === 0 ? '' : text))
    .join()
    .replace(/,+$/, '');
}

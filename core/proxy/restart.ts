import type { Problems } from '../validation/problems';

/** What a new generation may have a share of. The admin port stays with the generation that is in charge. */
export const CANARY_LISTENERS = ['data'] as const;
export type CanaryListener = (typeof CANARY_LISTENERS)[number];

/** `POST /restart`: a new generation of the proxy, from the files that are on disk now, under the same listening sockets. */
export interface RestartOrder {
  /**
   * Of the new connections, 0 to 1. Absent: the new generation gets all, and the connections that are open. Between 0 and 1: it is a
   * canary, or gets another share. 1 gives a canary everything; 0 takes it back.
   */
  readonly share?: number;
  /** Of which listeners; all of `CANARY_LISTENERS` when absent. */
  readonly listeners?: readonly CanaryListener[];
}

/**
 * What a generation does about a restart. `starting`: another one starts, and has to prove itself first, or takes over. `canary`: another one
 * has a share of the new connections. `ending`: a canary gets no connections any more, and its own end.
 */
export type RestartState = 'none' | 'starting' | 'canary' | 'ending';

/** The generations of a proxy on one host, in a `LedgerReport`. */
export interface GenerationsReport {
  /** Of the one that has the admin port: 1 for the first. */
  readonly number: number;
  /** How many live: this one, those that let their connections end, and one that starts or is a canary. */
  readonly live: number;
  readonly restart: RestartState;
  /** Why the last restart failed; absent when there was none, or it was done. */
  readonly failed?: string;
  /** Absent where there is none. */
  readonly canary?: CanaryReport;
}

/** A new generation beside the one that goes on. */
export interface CanaryReport {
  /** 0 while it ends. */
  readonly share: number;
  /** Since it got the first connection. */
  readonly seconds: number;
  /** The one that is in charge, in the same time; and the canary. */
  readonly generations: readonly [GenerationFigures, GenerationFigures];
}

export interface GenerationFigures {
  readonly number: number;
  /** Live ones, and those that are carried. */
  readonly connections: number;
  /** As in a `LedgerReport`. */
  readonly requests: { readonly total: number; readonly responded: number; readonly errors: number };
}

/** What a restart order comes to. */
export type RestartStep = 'all' | 'begin' | 'change' | 'complete' | 'takeBack';

/** @returns what is to be done now, or why nothing can */
export function findRestartStep(
  { share }: RestartOrder,
  { live, restart }: Pick<GenerationsReport, 'live' | 'restart'>,
  maxGenerations: number,
): { readonly step: RestartStep } | { readonly conflict: string } {
  if (restart === 'starting') return { conflict: 'A restart is under way: a new generation is starting' };
  if (restart === 'ending') return { conflict: 'A canary was taken back, and its connections have not ended' };
  if (restart === 'canary') {
    if (share === undefined)
      return { conflict: "A canary is under way: 'share' 1 gives it everything, and 'share' 0 takes it back" };
    return { step: share === 1 ? 'complete' : share === 0 ? 'takeBack' : 'change' };
  }
  if (share === 0 || share === 1)
    return { conflict: `There must be a canary for 'share' ${share}, got none; without 'share' a restart is of all` };
  if (live >= maxGenerations) {
    return {
      conflict: `There must be fewer than ${maxGenerations} generations ('max_generations') for another one, got ${live} whose connections have not ended`,
    };
  }
  return { step: share === undefined ? 'all' : 'begin' };
}

/** Reads a restart order out of JSON; problems go to `problems` under `name`. */
export function readRestartOrder(name: string, value: unknown, problems: Problems): RestartOrder {
  const given = problems.object(name, value, ['share', 'listeners']);
  const listeners = readListeners(given.listeners, problems);
  if (given.share === undefined) {
    if (listeners) problems.add('share', "given with 'listeners'", given.share);
    return {};
  }
  const share = problems.number('share', given.share, { min: 0, max: 1, default: 0 });
  return { share, ...(listeners && { listeners }) };
}

function readListeners(value: unknown, problems: Problems): readonly CanaryListener[] | undefined {
  if (value === undefined) return undefined;
  const known: readonly unknown[] = CANARY_LISTENERS;
  if (Array.isArray(value) && value.length > 0 && value.every((each) => known.includes(each))) {
    return value as CanaryListener[];
  }
  problems.add('listeners', `a list of ${CANARY_LISTENERS.join(', ')}`, value);
  return undefined;
}

const MILLION = 1_000_000;

/**
 * Deals connections out one by one: of any number in a row the share, rounded up or down. By millionths, because sums of a fraction
 * drift.
 */
export class ShareCounter {
  private credit = 0;
  private readonly millionths: number;

  /** @param share 0 to 1 */
  constructor(share: number) {
    this.millionths = share === 0 ? 0 : Math.max(1, Math.round(share * MILLION));
  }

  /** Whether the next one is of the share. */
  next(): boolean {
    this.credit += this.millionths;
    if (this.credit < MILLION) return false;
    this.credit -= MILLION;
    return true;
  }
}

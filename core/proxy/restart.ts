import type { Problems } from '../validation/problems';

/** `POST /restart`: a new generation of the proxy, from the files that are on disk now, under the same listening sockets. */
export type RestartOrder = Readonly<Record<never, never>>;

/** What a generation does about a restart. `starting`: another one starts, and has to prove itself first. */
export type RestartState = 'none' | 'starting';

/** The generations of a proxy on one host, in a `LedgerReport`. */
export interface GenerationsReport {
  /** Of the one that has the admin port: 1 for the first. */
  readonly number: number;
  /** How many live: this one, those that let their connections end, and one that starts. */
  readonly live: number;
  readonly restart: RestartState;
  /** Why the last restart failed; absent when there was none, or it was done. */
  readonly failed?: string;
}

/** Why a restart cannot begin now; undefined when it can. */
export function findRestartConflict(
  { live, restart }: Pick<GenerationsReport, 'live' | 'restart'>,
  maxGenerations: number,
): string | undefined {
  if (restart === 'starting') return 'A restart is under way: a new generation is starting';
  if (live < maxGenerations) return undefined;
  return `There must be fewer than ${maxGenerations} generations ('max_generations') for another one, got ${live} whose connections have not ended`;
}

/** Reads a restart order out of JSON; problems go to `problems` under `name`. */
export function readRestartOrder(name: string, value: unknown, problems: Problems): RestartOrder {
  problems.object(name, value, []);
  return {};
}

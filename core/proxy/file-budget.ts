/** What a process opens besides connections: its log, its timers, the admin port and its calls, lookups of names. */
const OWN_FILES = 48;
/** Of the rest so much is kept for clients that get a 503; a few hundred at a time are enough. */
const TURNED_AWAY = { share: 1 / 8, max: 256 };

export interface ConnectionLimits {
  readonly clientConnections: number;
  readonly upstreamConnections: number;
}

/** How many connections fit into the files that a process may have open. */
export interface FileQuotas extends ConnectionLimits {
  /** For connections of every kind together. */
  readonly connections: number;
  /** Of these, what is kept for clients that there is no room for. */
  readonly turnedAway: number;
}

/**
 * Shares the open files of a process out among its connections. A client needs one, and its request another one to the
 * upstream; so neither side gets more than half.
 *
 * @param openFiles what the process may have open at once (`ulimit -n`); Infinity where there is no limit
 * @param wanted what is configured; it is never exceeded
 */
export function shareFiles(openFiles: number, wanted: ConnectionLimits): FileQuotas {
  if (openFiles === Infinity) return { ...wanted, connections: Infinity, turnedAway: 0 };
  const connections = Math.max(4, openFiles - OWN_FILES);
  const turnedAway = Math.min(TURNED_AWAY.max, Math.floor(connections * TURNED_AWAY.share));
  const half = Math.max(1, Math.floor((connections - turnedAway) / 2));
  return {
    clientConnections: Math.min(wanted.clientConnections, half),
    upstreamConnections: Math.min(wanted.upstreamConnections, half),
    connections,
    turnedAway,
  };
}

/** What to tell an operator who wants more connections than fit; undefined where they do. */
export function fileProblem(openFiles: number, wanted: ConnectionLimits): string | undefined {
  const { clientConnections, upstreamConnections } = shareFiles(openFiles, wanted);
  if (clientConnections === wanted.clientConnections && upstreamConnections === wanted.upstreamConnections)
    return undefined;
  const asked = Math.max(wanted.clientConnections, wanted.upstreamConnections);
  const fits = Math.min(clientConnections, upstreamConnections);
  const needed = OWN_FILES + TURNED_AWAY.max + 2 * asked;
  return (
    `the limit of open files ('ulimit -n') must be at least ${needed} for ${asked} connections on each side, ` +
    `got ${openFiles}: ${fits} are accepted`
  );
}

import { Findings, Judgement } from './verdict';

/** One reading of the store and of the live connections. */
export interface StateReading {
  /** Of the keys with state; undefined where they are not compared. */
  readonly stateIds?: ReadonlySet<string>;
  /** Of the keys of connections, with the server that each names, if it names one; undefined where they are not compared. */
  readonly connectionKeys?: ReadonlyMap<string, string | undefined>;
  /** As they were listed, each as often as it is; undefined where there is no list. */
  readonly live?: readonly string[];
}

/** What is wrong in one way. */
export interface Difference {
  readonly count: number;
  /** Which they are; none where only counts are compared. */
  readonly ids: readonly string[];
}

/** What was not compared is absent. */
export interface StateFindings {
  /** Keys of connections that are not live. */
  readonly orphans?: Difference;
  /** Live connections without a key. */
  readonly missing?: Difference;
  /** Ids that are live more than once. */
  readonly doubled?: Difference;
  /** Keys with state of no connection. */
  readonly stateWithoutConnection?: Difference;
  /** Connections without state, which may have none yet. */
  readonly connectionWithoutState?: Difference;
}

export const FINDING_NAMES = [
  'orphans',
  'missing',
  'doubled',
  'stateWithoutConnection',
  'connectionWithoutState',
] as const satisfies readonly (keyof StateFindings)[];

export interface StateFigures {
  readonly stateKeys?: number;
  readonly connectionKeys?: number;
  readonly liveConnections?: number;
  /** By the server that the keys of connections name. */
  readonly servers: readonly { readonly server: string; readonly connections: number }[];
}

/** What a reading shows. A connection is one that is live; where there is no list of these, one that has a key. */
export function compareState({ stateIds, connectionKeys, live }: StateReading): StateFindings {
  const keys = connectionKeys && new Set(connectionKeys.keys());
  const liveIds = live && new Set(live);
  const connections = liveIds ?? keys;
  return {
    ...(keys && liveIds && { orphans: findOnlyIn(keys, liveIds), missing: findOnlyIn(liveIds, keys) }),
    ...(live && { doubled: findDoubled(live) }),
    ...(stateIds &&
      connections && {
        stateWithoutConnection: findOnlyIn(stateIds, connections),
        connectionWithoutState: findOnlyIn(connections, stateIds),
      }),
  };
}

/** The same where the list has other ids than the keys: how many there are too many of. */
export function compareCounts({ stateIds, connectionKeys, live = [] }: StateReading): StateFindings {
  const excess = (more: number, than: number): Difference => ({ count: Math.max(0, more - than), ids: [] });
  return {
    ...(connectionKeys && {
      orphans: excess(connectionKeys.size, live.length),
      missing: excess(live.length, connectionKeys.size),
    }),
    ...(stateIds && {
      stateWithoutConnection: excess(stateIds.size, live.length),
      connectionWithoutState: excess(live.length, stateIds.size),
    }),
  };
}

const listed = (ids: readonly string[]): Difference => ({ count: ids.length, ids });

function findOnlyIn(these: ReadonlySet<string>, others: ReadonlySet<string>): Difference {
  return listed([...these].filter((id) => !others.has(id)).sort());
}

function findDoubled(ids: readonly string[]): Difference {
  const seen = new Set<string>();
  const doubled = new Set<string>();
  for (const id of ids) (seen.has(id) ? doubled : seen).add(id);
  return listed([...doubled].sort());
}

/** What both readings show: clients come and leave between two calls, and what is wrong stays so. */
export function keepLasting(first: StateFindings, second: StateFindings): StateFindings {
  const lasting = FINDING_NAMES.flatMap((name) => {
    const [before, after] = [first[name], second[name]];
    return before && after ? [[name, intersect(before, after)] as const] : [];
  });
  return Object.fromEntries(lasting);
}

function intersect(before: Difference, after: Difference): Difference {
  // Counts without ids: as many as there were at both times.
  if (before.ids.length < before.count || after.ids.length < after.count) {
    return { count: Math.min(before.count, after.count), ids: [] };
  }
  const known = new Set(before.ids);
  return listed(after.ids.filter((id) => known.has(id)));
}

export function summarizeState({ stateIds, connectionKeys, live }: StateReading): StateFigures {
  const counts = new Map<string, number>();
  for (const server of connectionKeys?.values() ?? []) {
    if (server !== undefined) counts.set(server, (counts.get(server) ?? 0) + 1);
  }
  const servers = [...counts].map(([server, connections]) => ({ server, connections }));
  return {
    ...(stateIds && { stateKeys: stateIds.size }),
    ...(connectionKeys && { connectionKeys: connectionKeys.size }),
    ...(live && { liveConnections: live.length }),
    servers: servers.sort((a, b) => b.connections - a.connections || (a.server < b.server ? -1 : 1)),
  };
}

export interface StateRules {
  readonly maxOrphans: number;
  readonly maxMissing: number;
  readonly maxDoubled: number;
  readonly maxStateWithoutConnection: number;
  /** Undefined: a connection need not have state. */
  readonly maxConnectionWithoutState?: number;
}

/** As many ids as a broken rule names. */
const MAX_NAMED = 5;

export function judgeState(findings: StateFindings, rules: StateRules, isStopped: boolean): Judgement {
  const found = new Findings();
  const check = (name: keyof StateFindings, max: number | undefined) => {
    const { count, ids } = findings[name] ?? { count: 0, ids: [] };
    if (max === undefined || count <= max) return;
    const named =
      ids.length > 0 ? ` (${ids.slice(0, MAX_NAMED).join(', ')}${ids.length > MAX_NAMED ? ', …' : ''})` : '';
    found.addBroken(name, `at most ${max}`, `${count}${named}`);
  };
  check('orphans', rules.maxOrphans);
  check('missing', rules.maxMissing);
  check('doubled', rules.maxDoubled);
  check('stateWithoutConnection', rules.maxStateWithoutConnection);
  check('connectionWithoutState', rules.maxConnectionWithoutState);
  found.checkWhole(isStopped);
  return found.judge();
}

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

export interface StateFindings {
  /** Keys of connections that are not live. */
  readonly orphans: readonly string[];
  /** Live connections without a key. */
  readonly missing: readonly string[];
  /** Ids that are live more than once. */
  readonly doubled: readonly string[];
  /** Keys with state of no connection. */
  readonly stateWithoutConnection: readonly string[];
  /** Connections without state, which may have none yet. */
  readonly connectionWithoutState: readonly string[];
}

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
    orphans: keys && liveIds ? listOnlyIn(keys, liveIds) : [],
    missing: keys && liveIds ? listOnlyIn(liveIds, keys) : [],
    doubled: live ? listDoubled(live) : [],
    stateWithoutConnection: stateIds && connections ? listOnlyIn(stateIds, connections) : [],
    connectionWithoutState: stateIds && connections ? listOnlyIn(connections, stateIds) : [],
  };
}

function listOnlyIn(these: ReadonlySet<string>, others: ReadonlySet<string>): string[] {
  return [...these].filter((id) => !others.has(id)).sort();
}

function listDoubled(ids: readonly string[]): string[] {
  const seen = new Set<string>();
  const doubled = new Set<string>();
  for (const id of ids) (seen.has(id) ? doubled : seen).add(id);
  return [...doubled].sort();
}

/** What both readings show: clients come and leave between two calls, and what is wrong stays so. */
export function keepLasting(first: StateFindings, second: StateFindings): StateFindings {
  const keep = (key: keyof StateFindings) => {
    const before = new Set(first[key]);
    return second[key].filter((id) => before.has(id));
  };
  return {
    orphans: keep('orphans'),
    missing: keep('missing'),
    doubled: keep('doubled'),
    stateWithoutConnection: keep('stateWithoutConnection'),
    connectionWithoutState: keep('connectionWithoutState'),
  };
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

export function judgeState(findings: StateFindings, rules: StateRules, isStopped: boolean): Judgement {
  const found = new Findings();
  const check = (name: keyof StateFindings, max: number | undefined) => {
    const ids = findings[name];
    if (max === undefined || ids.length <= max) return;
    const more = ids.length > MAX_NAMED ? ' …' : '';
    found.addBroken(name, `at most ${max}`, `${ids.length} (${ids.slice(0, MAX_NAMED).join(' ')}${more})`);
  };
  check('orphans', rules.maxOrphans);
  check('missing', rules.maxMissing);
  check('doubled', rules.maxDoubled);
  check('stateWithoutConnection', rules.maxStateWithoutConnection);
  check('connectionWithoutState', rules.maxConnectionWithoutState);
  found.checkWhole(isStopped);
  return found.judge();
}

/** As many ids as a broken rule names. */
const MAX_NAMED = 5;

/** A pattern of keys with one star, which stands for the id of a connection. */
export interface KeyPattern {
  readonly prefix: string;
  readonly suffix: string;
}

export const KEY_PATTERN_RULE = "a pattern with one '*' where the id of the connection is (state:*), or none";

/** @returns undefined of what is no such pattern */
export function parseKeyPattern(text: string): KeyPattern | undefined {
  const [prefix, suffix, ...more] = text.split('*');
  if (prefix === undefined || suffix === undefined || more.length > 0 || prefix + suffix === '') return undefined;
  return { prefix, suffix };
}

/** For MATCH of SCAN, in which some characters have a meaning of their own. */
export function formatMatch({ prefix, suffix }: KeyPattern): string {
  const quote = (text: string) => text.replace(/[\\?[\]^*]/g, '\\$&');
  return `${quote(prefix)}*${quote(suffix)}`;
}

/** @returns the id in a key; undefined of a key of another kind */
export function readKeyId({ prefix, suffix }: KeyPattern, key: string): string | undefined {
  const isOne = key.startsWith(prefix) && key.endsWith(suffix) && key.length > prefix.length + suffix.length;
  return isOne ? key.slice(prefix.length, key.length - suffix.length) : undefined;
}

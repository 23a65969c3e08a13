import { CountedProblem, Findings, Judgement, countProblems } from './verdict';

/** One request, or one WebSocket, of a client. */
export interface Visit {
  /** From 1. */
  readonly client: number;
  /** Absent where the response did not say it, or there was none. */
  readonly server?: string;
  /** Why there was no good response. */
  readonly problem?: string;
}

export interface ServerShare {
  readonly server: string;
  readonly responses: number;
  /** That it has responded to at least once. */
  readonly clients: number;
}

/** A client that did not stay where it was. */
export interface ChangedClient {
  readonly client: number;
  /** In the order of its requests, each as often as it changed to it. */
  readonly servers: readonly string[];
  readonly changes: number;
}

export interface StickinessFigures {
  readonly clients: number;
  readonly requests: number;
  readonly failed: number;
  /** Responses that did not say which server they are of. */
  readonly unnamed: number;
  /** The busiest first. */
  readonly servers: readonly ServerShare[];
  /** Clients that got two responses or more, all of one server. */
  readonly stayed: number;
  readonly changed: readonly ChangedClient[];
  /** The names of the cookies that the responses set. */
  readonly cookies: readonly string[];
  /** Clients of which fewer than two responses say the server. */
  readonly unproven: number;
  /** Why requests failed, with how many it was so. */
  readonly problems: readonly CountedProblem[];
}

export interface StickinessRules {
  /** 0 to 1; undefined where clients need not stay. */
  readonly minStayed?: number;
  readonly minServers: number;
  readonly maxFailed: number;
}

/** As many servers of one client as a report names. */
const MAX_NAMED = 20;

/** @param visits in the order of each client's requests */
export function summarizeVisits(visits: readonly Visit[], cookies: Iterable<string>): StickinessFigures {
  const byClient = groupBy(visits, ({ client }) => client);
  const named = visits.flatMap(({ client, server }) => (server === undefined ? [] : [{ client, server }]));
  const servers = [...groupBy(named, ({ server }) => server)].map(([server, of]) => ({
    server,
    responses: of.length,
    clients: new Set(of.map(({ client }) => client)).size,
  }));
  const runs = [...byClient].map(([client, all]) => listRuns(client, all));
  return {
    clients: byClient.size,
    cookies: [...new Set(cookies)].sort(),
    requests: visits.length,
    failed: visits.filter(({ problem }) => problem !== undefined).length,
    unnamed: visits.filter(({ server, problem }) => server === undefined && problem === undefined).length,
    servers: servers.sort((a, b) => b.responses - a.responses || (a.server < b.server ? -1 : 1)),
    stayed: runs.filter(({ changes, named: count }) => changes === 0 && count > 1).length,
    changed: runs
      .filter(({ changes }) => changes > 0)
      .map(({ client, servers: all, changes }) => ({ client, servers: all.slice(0, MAX_NAMED), changes })),
    unproven: runs.filter(({ changes, named: count }) => changes === 0 && count <= 1).length,
    problems: countProblems(visits.flatMap(({ problem }) => (problem === undefined ? [] : [problem]))),
  };
}

function listRuns(client: number, visits: readonly Visit[]): ChangedClient & { readonly named: number } {
  const names = visits.flatMap(({ server }) => (server === undefined ? [] : [server]));
  const servers = names.filter((name, at) => name !== names[at - 1]);
  return { client, servers, changes: Math.max(0, servers.length - 1), named: names.length };
}

function groupBy<T, K>(items: readonly T[], findKey: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const group = groups.get(findKey(item));
    if (group) group.push(item);
    else groups.set(findKey(item), [item]);
  }
  return groups;
}

/** Where only one server responds, every client stays: that is unknown, and not stickiness. */
export function judgeStickiness(figures: StickinessFigures, rules: StickinessRules, isStopped: boolean): Judgement {
  const { clients, stayed, servers, unnamed, requests, failed, unproven } = figures;
  const found = new Findings();
  found.checkAtMost('failed', failed, rules.maxFailed);
  const isSeen = servers.length > 0;
  const decided = clients - unproven;
  if (rules.minStayed !== undefined && decided > 0 && stayed / decided < rules.minStayed) {
    found.addBroken('stayed', `at least ${formatShare(rules.minStayed)} of the clients`, formatStayed(figures));
  }
  if (unnamed > 0) found.addUnknown(`${unnamed} of ${requests} responses do not say which server they are of`);
  if (rules.minStayed !== undefined && unproven > 0) {
    found.addUnknown(`${unproven} of ${clients} clients got fewer than two responses that say the server`);
  }
  if (!isSeen && unnamed === 0) found.addUnknown('there was no response');
  if (isSeen && servers.length < rules.minServers) {
    found.addUnknown(
      `only ${servers.length} of at least ${rules.minServers} servers responded, so that no client could change`,
    );
  }
  found.checkWhole(isStopped);
  return found.judge();
}

function formatStayed({ stayed, clients, unproven }: StickinessFigures): string {
  const decided = clients - unproven;
  return `${formatShare(stayed / decided)} (${stayed} of ${decided})`;
}

/** Rounded down: 999 of 1,000 are not 100 %. */
export function formatShare(share: number): string {
  return `${Math.floor(share * 1000 + 1e-9) / 10}%`;
}

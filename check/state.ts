import { IdPlace, readLiveList } from '../core/check/live-list';
import { KeyPattern } from '../core/check/key-pattern';
import { parseJson } from '../core/check/pointer';
import {
  FINDING_NAMES,
  StateFigures,
  StateFindings,
  StateReading,
  compareCounts,
  compareState,
  keepLasting,
  summarizeState,
} from '../core/check/state';
import { oneLine } from '../core/text/one-line';
import type { Progress } from './progress';
import { get } from './request';
import type { Store } from './store';
import { CheckTarget, pause, showUrl, StartLimit } from './target';
import { Unreadable } from './unreadable';

/** Lists the ids of the live connections, each as often as it is live. */
export type LiveReader = (signal: AbortSignal) => Promise<readonly string[]>;

export interface StatePlan {
  readonly stateKeys?: KeyPattern;
  readonly connectionKeys?: KeyPattern;
  /** Absent: the keys are compared with each other. */
  readonly readLive?: LiveReader;
  readonly compares: 'ids' | 'counts';
  /** After so long all is read again, and only what is wrong both times counts; 0: it is read once. */
  readonly settleMs: number;
  /** By which clock. @default - the wall's */
  readonly startLimit?: StartLimit;
}

export interface StateReport {
  readonly findings: StateFindings;
  readonly figures: StateFigures;
}

/** @throws Unreadable where the store or a list cannot be read */
export async function checkState(
  store: Store,
  plan: StatePlan,
  signal: AbortSignal,
  progress: Progress,
): Promise<StateReport> {
  const compare = plan.compares === 'ids' ? compareState : compareCounts;
  const first = await read(store, plan, signal, progress);
  const findings = compare(first);
  const isWrong = FINDING_NAMES.some((name) => (findings[name]?.count ?? 0) > 0);
  if (!isWrong || plan.settleMs === 0 || signal.aborted) return { findings, figures: summarizeState(first) };
  progress.describe = () => 'waiting, to read what is wrong again';
  await pause(plan.settleMs, signal, plan.startLimit);
  if (signal.aborted) return { findings, figures: summarizeState(first) };
  const second = await read(store, plan, signal, progress);
  // Cut short, it has fewer keys than there are.
  if (signal.aborted) return { findings, figures: summarizeState(first) };
  return { findings: keepLasting(findings, compare(second)), figures: summarizeState(second) };
}

async function read(store: Store, plan: StatePlan, signal: AbortSignal, progress: Progress): Promise<StateReading> {
  const { stateKeys, connectionKeys, readLive } = plan;
  const list = (pattern: KeyPattern) =>
    store.listIds(pattern, signal, (count) => {
      progress.describe = () => `${count} keys of ${pattern.prefix}*${pattern.suffix}`;
    });
  const stateIds = stateKeys && (await list(stateKeys));
  const ids = connectionKeys && (await list(connectionKeys));
  progress.describe = () => 'reading the live connections';
  const live = await readLive?.(signal);
  return {
    ...(stateIds && { stateIds }),
    ...(ids && connectionKeys && { connectionKeys: await readServers(store, connectionKeys, [...ids]) }),
    ...(live && { live }),
  };
}

/** The servers that the keys of connections name, where they do. */
async function readServers(store: Store, { prefix, suffix }: KeyPattern, ids: readonly string[]) {
  const values = await store.readTexts(ids.map((id) => `${prefix}${id}${suffix}`));
  return new Map(ids.map((id, at) => [id, values[at] === undefined ? undefined : oneLine(values[at], 100)] as const));
}

const MAX_PAGES = 10_000;

/** Of lists at URLs, page by page where they have `next`. */
export function liveAt(targets: readonly CheckTarget[], place: IdPlace): LiveReader {
  return async (signal) => {
    const lists = await Promise.all(targets.map((target) => readPages(target, place, signal)));
    return lists.flat();
  };
}

async function readPages(target: CheckTarget, place: IdPlace, signal: AbortSignal): Promise<string[]> {
  const ids: string[] = [];
  const url = new URL(target.url);
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const response = await get({ ...target, url }, undefined, signal);
    const where = showUrl(target.url);
    if ('problem' in response) throw new Unreadable(`${where} must respond, got ${response.problem}`);
    const { status, body } = response;
    if (status !== 200) throw new Unreadable(`${where} must respond with 200, got ${status}`);
    const list = readLiveList(parseJson(body), place);
    if ('problem' in list) throw new Unreadable(`${where} ${list.problem}`);
    ids.push(...list.ids);
    if (list.next === undefined) return ids;
    url.searchParams.set('after', list.next);
  }
  throw new Unreadable(`${showUrl(target.url)} must have at most ${MAX_PAGES} pages, got more`);
}

import { CONNECTION_KINDS, KIND_FACTS } from '../../core/proxy/connections';
import { formatOdds } from '../../core/judge/odds';
import type { LiveConnections } from '../../core/judge/live';
import { formatSeconds } from '../../core/plan/explain';
import { oneLine } from '../../core/text/one-line';
import { describeHolder } from '../../core/traffic/lock';
import { SIDES, Side, formatWeights } from '../../core/traffic/weights';
import type { ShownExecution, Snapshot } from './snapshot';

/** A snapshot for a person, one fact a line. */
export function formatSnapshot({ at, weights, lock, execution, unknown }: Snapshot): string[] {
  const rows: (readonly [name: string, text: string])[] = [
    ...(execution ? listExecution(execution, at) : [['cutover', describeNone(execution)] as const]),
    ['weights', weights ? `${formatWeights(weights)} (source/target) in force` : 'unknown'],
    ...(execution ? listFigures(execution, at) : []),
    ['lock', lock ? describeHolder(lock) : describeNone(lock, 'free')],
    ...unknown.map((why) => ['unknown', why] as const),
  ];
  return rows.map(([name, text]) => `${name.padEnd(9)}${oneLine(text)}`);
}

/** The same in one line, for a terminal that cannot be drawn anew, a pipe or a log. */
export function formatLine({ at, weights, execution, unknown }: Snapshot): string {
  const parts = [
    execution ? describeState(execution) : `cutover ${describeNone(execution)}`,
    ...(weights ? [`weights ${formatWeights(weights)}`] : []),
    ...(execution ? listFigures(execution, at).map(([name, text]) => `${name} ${text}`) : []),
    ...unknown.map((why) => `unknown: ${why}`),
  ];
  return `${at.slice(11, 19)} UTC  ${parts.map((part) => oneLine(part)).join('; ')}`;
}

/** What could not be read is absent. */
function describeNone(value: null | undefined, none = 'none is under way'): string {
  return value === null ? none : 'unknown';
}

function listExecution(execution: ShownExecution, at: string): [string, string][] {
  return [
    ['cutover', `'${execution.name}'${describeAge(execution, at)}`],
    ['state', describeState(execution)],
  ];
}

function describeAge({ startedAt, endedAt, outcome }: ShownExecution, at: string): string {
  if (startedAt === undefined) return '';
  if (!outcome) return `, for ${formatSpan(startedAt, at)}`;
  if (endedAt === undefined) return '';
  return `, which took ${formatSpan(startedAt, endedAt)} and ended at ${endedAt.slice(0, 19).replace('T', ' ')} UTC`;
}

function describeState({ status, state, outcome, stage, rollsBackBecause, cause }: ShownExecution): string {
  if (outcome) return `ended: ${outcome}${cause === undefined ? '' : `: ${oneLine(cause)}`}`;
  const parts = [
    state ?? (status === 'RUNNING' ? 'starting' : status),
    ...(stage ? [`stage ${stage.number} of ${stage.stages} (${formatWeights(stage.weights)})`] : []),
    ...(rollsBackBecause === undefined ? [] : [`it rolls back: ${rollsBackBecause.split('\n')[0]}`]),
  ];
  return parts.join(', ');
}

function listFigures(execution: ShownExecution, at: string): [string, string][] {
  const { sides, live, judge, gate, hook, next, pace } = execution;
  const ofSides = SIDES.flatMap((side): [string, string][] => {
    const said = [...(sides ? [describeSide(sides[side])] : []), ...(live?.[side] ? [describeLive(live[side])] : [])];
    return said.length > 0 ? [[side, said.join('; live ')]] : [];
  });
  return [
    ...ofSides,
    ...(judge ? listJudge(judge) : []),
    ...(pace && pace.length > 0 ? [['pace', pace.join('; ')] as [string, string]] : []),
    ...(hook === undefined ? [] : ([['hook', hook]] as [string, string][])),
    ...(gate === undefined ? [] : ([['waits', `for a person at '${gate}'`]] as [string, string][])),
    ...(next ? ([['next', `${next.what}, ${formatWhen(next.at, at)}`]] as [string, string][]) : []),
  ];
}

function describeSide({ requests, errors, requestsPerSecond }: NonNullable<ShownExecution['sides']>[Side]): string {
  const rate = requestsPerSecond === undefined ? '' : `, ${requestsPerSecond} a second`;
  return `${formatCount(requests, 'request')}, ${formatCount(errors, 'error')}${rate}`;
}

function describeLive({ kinds, unknownTasks, carried = 0 }: LiveConnections): string {
  const live = CONNECTION_KINDS.map((kind) => `${kinds[kind]} ${KIND_FACTS[kind].short}`);
  const each = [...live, ...(carried > 0 ? [`${carried} moved to the other backend`] : [])].join(', ');
  return unknownTasks > 0 ? `${each}, and what ${formatCount(unknownTasks, 'silent task')} may hold` : each;
}

function listJudge({ odds, threshold, parts, missing }: NonNullable<ShownExecution['judge']>): [string, string][] {
  const [first] = parts;
  const because = first === undefined ? '' : ` (${first})`;
  return [
    ['judge', `odds ${formatOdds(odds)} against it, rolls back at ${formatOdds(threshold)}${because}`],
    ...(missing === undefined ? [] : ([['missing', missing]] as [string, string][])),
  ];
}

function formatCount(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}

/** The times of a person's terminal are those of the evidence: UTC. */
function formatWhen(when: string, at: string): string {
  const ms = Date.parse(when) - Date.parse(at);
  const clock = `${when.slice(11, 19)} UTC`;
  return ms > 0 ? `at ${clock}, in ${formatSpan(at, when)}` : `at ${clock}: due now`;
}

function formatSpan(from: string, to: string): string {
  return formatSeconds(Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1000)));
}

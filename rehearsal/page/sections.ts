import { formatOdds } from '../../core/judge/odds';
import { MAX_ODDS } from '../../core/plan/judge-plan';
import { CONNECTION_KINDS, KIND_FACTS } from '../../core/proxy/connections';
import { SIDES, formatWeights } from '../../core/traffic/weights';
import { oddsFigure, trafficFigure } from './charts';
import { DRAIN_ENDINGS, drainBars } from './drain-bars';
import { SeenOutside, listEvents } from './data/events';
import { explainRejection, listMoves } from '../../core/cutover/describe-moves';
import { escape, list, note, table } from './markup';
import type { BothSides, Cutover, StageSeen } from './data/read';
import { findFigures, findLatencies, sumRoutes } from './data/series';
import { formatDate, formatElapsed } from './data/time-axis';

const number = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: 2 });
const known = (value: number | undefined) => (value === undefined ? 'unknown' : number(value));
const bothSides = ({ source, target }: BothSides) => `${known(source)} / ${known(target)}`;

/** The picture, and its figures as a table. */
export function happened(cutover: Cutover): string {
  const rows = findFigures(cutover).map(({ fromMs, toMs, looks, counted, odds }) => {
    const count = (name: 'requests' | 'responded' | 'errors') =>
      counted ? `${number(counted.source[name])} / ${number(counted.target[name])}` : 'unknown';
    const time = `${formatElapsed(fromMs - cutover.fromMs)} to ${formatElapsed(toMs - cutover.fromMs)}`;
    return [
      ...[time, number(looks), count('requests'), count('responded'), count('errors')],
      odds === undefined ? 'unknown' : formatOdds(odds),
    ];
  });
  if (rows.length === 0) {
    return `${trafficFigure(cutover)}${note('No poll of the judge is in the evidence: requests, errors and latency are not drawn.')}`;
  }
  const head = ['after the start', 'polls', 'requests source / target', 'responded', 'errors', 'odds'];
  return `${trafficFigure(cutover)}
<details><summary>The figures as a table</summary>${table('Requests and errors over time', head, rows)}
${latencyTable(cutover)}</details>`;
}

function latencyTable(cutover: Cutover): string {
  const rows = SIDES.flatMap((side) =>
    findLatencies(cutover, side).map(({ fromMs, toMs, responses, half, most }) => [
      `${formatElapsed(fromMs - cutover.fromMs)} to ${formatElapsed(toMs - cutover.fromMs)}`,
      ...[side, number(responses), milliseconds(half), milliseconds(most)],
    ]),
  );
  if (rows.length === 0) return note('Too few responses were counted to say how long they took.');
  const head = ['after the start', 'side', 'responses', 'half took at most', '99 of 100 took at most'];
  return `${table('Latency over time', head, rows)}
${note('Each row has at least 100 responses that the weights decided on. Latencies are rounded up, by a fifth at the most.')}`;
}

const milliseconds = (value: number) => (Number.isFinite(value) ? `${number(value)} ms` : 'over 65 s');

/** What the judge found, in the words of people. */
export function judged(cutover: Cutover): string {
  const { stages, looksMissing } = cutover;
  const lines = stages.map((stage, index) => `<li>${escape(judgeLine(stage, index))}</li>`);
  const routes = sumRoutes(cutover).map(({ route, sides: { source, target } }) => [
    route,
    ...[source, target].map(({ requests, errors }) => `${number(requests)} requests, ${number(errors)} errors`),
  ]);
  const parts = [
    oddsFigure(cutover),
    lines.length === 0 ? '' : `<ol class="judged">${lines.join('\n')}</ol>`,
    routes.length === 0
      ? ''
      : `<h3>Route classes</h3>\n${table('Requests by route class', ['class', 'source', 'target'], routes)}`,
    looksMissing === undefined ? '' : note(`Polls are missing: ${looksMissing}`),
  ];
  const said = parts.filter((part) => part !== '');
  return said.length === 0 ? note('Nothing was shifted: the judge had nothing to compare.') : said.join('\n');
}

const BECAME: Readonly<Record<string, string>> = {
  promote: 'was promoted',
  rollBack: 'was rolled back',
  inconclusive: 'came to no verdict',
};

/** `90/10 was rolled back: target 41 errors in 5,210 requests, source 12 in 46,800; odds 1:2,300 if both were equal` */
export function judgeLine({ weights, verdict, judge }: StageSeen, index: number): string {
  const name = weights ? formatWeights(weights) : `stage ${index + 1}`;
  const became = (Object.hasOwn(BECAME, verdict) ? BECAME[verdict] : undefined) ?? verdict;
  if (!judge) return `${name} ${became}`;
  const { odds, parts, arrivals, missing } = judge;
  const said = [
    ...parts.slice(0, 1),
    ...(odds === undefined ? [] : [formatChance(odds)]),
    ...(arrivals === '' ? [] : [arrivals]),
    ...(missing === undefined ? [] : [missing]),
  ];
  return `${name} ${became}: ${said.join('; ')}`;
}

/** How likely such figures are where no side is worse. */
function formatChance(odds: number): string {
  if (odds <= 1) return 'nothing speaks against it';
  const chance = `odds 1:${number(Number(odds.toPrecision(2)))} if both were equal`;
  return odds >= MAX_ODDS ? `${chance}, over the limit of 1:${MAX_ODDS}` : chance;
}

export function staged({ stages }: Cutover): string {
  const rows = stages.map(({ weights, confirmSeconds, observed, errors, lost, verdict }) => [
    weights ? formatWeights(weights) : 'unknown',
    confirmSeconds === undefined ? 'not confirmed' : `${confirmSeconds.toFixed(1)} s`,
    ...[bothSides(observed), bothSides(errors), bothSides(lost), verdict],
  ]);
  const both = (what: string) => `${what} source / target`;
  const head = ['weights', 'read back after', both('requests'), both('errors'), both('connections lost'), 'verdict'];
  return table('The stages', head, rows);
}

/** Nothing of a cutover that did not drain. */
export function drained({ drain, direction }: Cutover): string {
  if (!drain) return note('The drain was not begun.');
  const { byKind } = drain;
  const end = (count: number | undefined) => (count === undefined ? 'unknown' : number(count));
  const kinds = CONNECTION_KINDS.map((kind) => [
    ...[KIND_FACTS[kind].plural, number(drain.atStart[kind]), number(drain.left[kind])],
    ...(byKind ? DRAIN_ENDINGS.map(([ending]) => end(byKind[kind][ending])) : []),
  ]);
  const endingNames = byKind ? DRAIN_ENDINGS.map(([, name]) => name) : [];
  const endings = DRAIN_ENDINGS.map(([kind, name]) => [name, number(drain[kind])]);
  const unknown =
    drain.unknownTasks > 0
      ? note(
          `${number(drain.unknownTasks)} tasks of the ${direction.from} did not respond at the last poll: what they held is unknown.`,
        )
      : '';
  return `${drainBars(drain, direction.from)}
${table('Connections by kind', ['kind', 'at its start', 'at its end', ...endingNames], kinds)}
${table('How connections ended', ['how', 'connections'], endings)}
${byKind ? '' : note('The evidence counts endings of all kinds together.')}
${note('Connections that came in the drain may be among those that were closed.')}${unknown}`;
}

/** Nothing of a cutover of whose moves nothing is known. */
export function moved({ moves, direction }: Cutover): string {
  if (!moves) return '';
  const reasons = Object.entries(moves.rejected).map(([code, count]) => [code, number(count), explainRejection(code)]);
  const carried = CONNECTION_KINDS.reduce((sum, kind) => sum + moves.carried[kind], 0);
  const rest = `The proxies of the ${direction.from} carry these until their tasks end. Then they are closed in order, and their clients connect anew.`;
  return [
    list(listMoves(moves, direction.from)),
    reasons.length === 0 ? '' : table('Connections that did not move', ['code', 'connections', 'why'], reasons),
    carried === 0 ? '' : note(rest),
  ].join('\n');
}

export function timeline(cutover: Cutover, outside: SeenOutside): string {
  const rows = listEvents(cutover, outside).map(({ atMs, kind, what, detail }) => [
    formatElapsed(atMs - cutover.fromMs),
    formatDate(atMs).slice(11, 19),
    ...[kind, what, detail],
  ]);
  return table('What happened when', ['after the start', 'UTC', 'kind', 'what', 'detail'], rows);
}

/** What no verdict can be about. */
export function listUntried(cutover: Cutover): string[] {
  const { to } = cutover.direction;
  const routes = sumRoutes(cutover).filter(({ sides }) => sides[to].requests === 0);
  const unread = cutover.polls.filter(({ counts }) => !counts).length;
  return [
    ...routes.map(({ route }) => `no request to ${route} came to the ${to}`),
    ...(unread > 0 ? [`${number(unread)} of ${number(cutover.polls.length)} polls could not read both sides`] : []),
    ...(cutover.looksMissing === undefined ? [] : [`polls are missing: ${cutover.looksMissing}`]),
    ...(cutover.stages.length === 0 ? ['no stage was judged'] : []),
  ];
}

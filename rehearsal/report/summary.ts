import { CONNECTION_KINDS } from '../../core/connections';
import { formatWeights } from '../../core/weights';
import { nothingLost } from '../traffic/tally';
import type { RedeployEvidence, RehearsalEvidence } from './evidence';

const gap = ({ longestGapMs }: { longestGapMs: number }) => `${(longestGapMs / 1000).toFixed(1)} s`;
const number = (value: number) => value.toLocaleString('en-US');

/** A summary to paste into a ticket: plain text, one fact a line. */
export function summarize(evidence: RehearsalEvidence): string {
  return [
    `drainshift rehearsal: ${verdict(evidence)}`,
    ...facts(evidence).map(([name, text]) => `  ${name.padEnd(10)} ${text}`),
    ...evidence.traffic.failures.slice(0, 5).map((line) => `  ! ${line}`),
  ].join('\n');
}

function verdict(evidence: RehearsalEvidence): string {
  const { outcome, traffic, durationSeconds, rehearsal } = evidence;
  const lost = outcome === 'completed' ? (nothingLost(traffic) ? ', nothing lost' : ', BUT SOMETHING WAS LOST') : '';
  return `${outcome} in ${durationSeconds.toFixed(1)} s (${rehearsal.seconds.toFixed(1)} s with start-up)${lost}`;
}

function facts(evidence: RehearsalEvidence): [string, string][] {
  const { http, websocket, serverSentEvents } = evidence.traffic;
  const lines: [string, string][] = [
    ['cutover', cutover(evidence)],
    [
      'http',
      `${number(http.sent)} requests, ${number(http.failed)} failed, p50 ${http.p50Ms.toFixed(1)} ms, p99 ${http.p99Ms.toFixed(1)} ms`,
    ],
    [
      'websocket',
      `${number(websocket.opened)} opened, ${number(websocket.sent)} messages, ${websocket.lost} lost, ${websocket.duplicated} doubled, ` +
        `${websocket.outOfOrder} out of order, ${websocket.dropped} dropped, longest gap ${gap(websocket)}`,
    ],
    [
      'sse',
      `${number(serverSentEvents.opened)} opened, ${number(serverSentEvents.events)} events, ${serverSentEvents.lost} lost, ${serverSentEvents.dropped} dropped, longest gap ${gap(serverSentEvents)}`,
    ],
    ['drain', drain(evidence)],
  ];
  const { redeploy } = evidence.rehearsal;
  if (redeploy) lines.push(['redeploy', redeployLine(redeploy)]);
  if (evidence.failure) lines.push(['because', `${evidence.failure.code}: ${evidence.failure.message}`]);
  if (evidence.rollback?.secondsFromFirstBadAnswer !== undefined) {
    lines.push([
      'rollback',
      `initial weights restored ${evidence.rollback.secondsFromFirstBadAnswer.toFixed(1)} s after the first bad answer`,
    ]);
  }
  return lines;
}

function cutover({ stages, finalWeights, plan }: RehearsalEvidence): string {
  const way = stages.map(({ weights, confirmed }) => `${formatWeights(weights)}${confirmed ? '' : ' (not confirmed)'}`);
  const last = finalWeights ? formatWeights(finalWeights) : 'unknown';
  if (stages.length === 0) return `nothing was moved; read back at the end: ${last}`;
  return `${[formatWeights(plan.initialWeights), ...way].join(' → ')}; read back at the end: ${last}`;
}

/** In one line; a rolled back one with its reason. */
export function redeployLine({ status, reason, applied, weightsBefore, weightsAfter }: RedeployEvidence): string {
  const changed = `${applied.length} resources changed${reason === undefined ? '' : ` (${reason})`}`;
  if (!weightsBefore || !weightsAfter) return `${status}, ${changed}`;
  return `${status}, ${changed}, weights ${formatWeights(weightsBefore)} before and ${formatWeights(weightsAfter)} after`;
}

function drain({ drain: { source, atStart, completed, moved, closed, forced } }: RehearsalEvidence): string {
  const began = CONNECTION_KINDS.reduce((sum, kind) => sum + atStart[kind], 0);
  const left = CONNECTION_KINDS.reduce((sum, kind) => sum + source[kind], 0);
  return `source from ${began} live connections to ${left}: ${completed} by themselves, ${moved} moved, ${closed} closed, ${forced} forced`;
}

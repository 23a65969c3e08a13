import { findPart, findStallMs, type MoveResult, type Round } from './figures';

/** The figures as Markdown: a line for each round. */
export function drawTable({ rounds, restWaitsMs }: MoveResult): string {
  const head = [
    '| moved to the | moved | took | moves/s | messages/s | stall p50 · p99 · longest | a client waited, p50 · p99 · longest | CPU of the proxies |',
    '|---|--:|--:|--:|--:|--:|--:|--:|',
  ];
  const rest = `| – |  |  |  |  |  | ${describeWaits(restWaitsMs)} |  |`;
  return [...head, rest, ...rounds.map(drawRound)].join('\n');
}

function drawRound({ to, moved, seconds, stall, longestStallMs, waitsMs, messages, cpuSeconds }: Round): string {
  const stalls = [
    describeMs(findStallMs(stall, 0.5)),
    describeMs(findStallMs(stall, 0.99)),
    describeMs(longestStallMs),
  ];
  const cells = [
    ...[to, count(moved), `${seconds.toFixed(1)} s`, count(moved / seconds), count(messages / seconds)],
    ...[stalls.join(' · '), describeWaits(waitsMs), `${cpuSeconds.toFixed(1)} s`],
  ];
  return `| ${cells.join(' | ')} |`;
}

/** What each figure is of. */
export function describeRun({ connections, messagesPerSecond, proxies, workers, totals }: MoveResult): string {
  return (
    `${count(connections)} WebSockets over ${proxies} proxies with ${workers} workers each; ${count(messagesPerSecond)} messages of clients a second, ` +
    `each acknowledged, and half as many of the backends. ${count(totals.messages)} messages in all.`
  );
}

const describeWaits = (sorted: readonly number[]) =>
  [findPart(sorted, 0.5), findPart(sorted, 0.99), findPart(sorted, 1)].map(describeMs).join(' · ');
const describeMs = (ms: number) => (Number.isFinite(ms) ? `${Math.round(ms)} ms` : '–');
const count = (number: number) => Math.round(number).toLocaleString('en-US');

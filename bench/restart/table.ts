import { median, type PeerFigures } from './figures';

const HEAD = [
  ...['', 'restart', 'WebSockets', 'closed', 'messages lost', 'doubled', 'requests failed'],
  ...['until one generation is left', 'idle before', 'message p99: before', 'in the restart', 'worst'],
];

/** The figures as Markdown: a line for each peer. */
export function drawTable(figures: readonly PeerFigures[]): string {
  const rule = `|${HEAD.map((_, index) => (index < 2 ? '---' : '--:')).join('|')}|`;
  return [`| ${HEAD.join(' | ')} |`, rule, ...figures.map(drawLine)].join('\n');
}

function drawLine({ peer, how, connections, sockets, requests, restarts, quiet, idleShare }: PeerFigures): string {
  const { closed, lost, waiting, doubled, outOfOrder } = sockets;
  const stalls = restarts.map(({ stall }) => stall);
  const cells = [
    ...[peer, `${how}${restarts.length > 1 ? ` × ${restarts.length}` : ''}`],
    ...[connections, closed, lost + waiting, doubled + outOfOrder, requests.errors].map(formatCount),
    describeReplaced(restarts),
    `${Math.round(idleShare * 100)} %`,
    formatMs(quiet.p99),
    formatMs(median(stalls.map(({ p99 }) => p99))),
    formatMs(Math.max(...stalls.map(({ max }) => max))),
  ];
  return `| ${cells.join(' | ')} |`;
}

function describeReplaced(restarts: PeerFigures['restarts']): string {
  const times = restarts.flatMap(({ replacedMs }) => replacedMs ?? []);
  if (times.length < restarts.length) return 'never';
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  const range = times.length > 1 ? ` (${seconds(Math.min(...times))}–${seconds(Math.max(...times))})` : '';
  return `${seconds(median(times))} s${range}`;
}

function formatMs(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
}

function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

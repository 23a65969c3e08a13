import { valueText } from './figures';
import { ratioTo, type Results, type RowResult } from './results';
import { machineText } from './table';

const WIDTH = 860;
const LEFT = 190;
const RIGHT = 210;
const BAR = 13;
const BAR_GAP = 3;
const ROW_GAP = 18;
const TOP = 78;
/** Longer bars are cut, and their figure says by how much. */
const MAX_VALUES = 3;

const REFERENCE = 'nginx';
const VARIANT = 'drainshift-without-ledger';

const STYLE = `
  text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328; }
  .title { font-size: 16px; font-weight: 600; }
  .small { font-size: 11px; fill: #59636e; }
  .row { font-weight: 600; }
  .drainshift { fill: #0969da; } .nginx { fill: #8c959f; } .haproxy { fill: #b6a16b; }
  .http-proxy { fill: #bf8700; } .fastify { fill: #cf7a6b; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .small { fill: #9198a1; }
    .drainshift { fill: #58a6ff; } .nginx { fill: #6e7681; } .haproxy { fill: #8f7f52; }
    .http-proxy { fill: #d29922; } .fastify { fill: #b5675a; }
  }`;

interface Bar {
  readonly peer: string;
  readonly ratio: number;
  readonly text: string;
}

/** Bars relative to nginx; readable on light and dark pages. */
export function svg(results: Results): string {
  const scale = computeScale(results.rows);
  const parts: string[] = [];
  let top = TOP;
  for (const row of results.rows) {
    const bars = listBars(row);
    if (bars.length === 0) continue;
    parts.push(rowChart(row, bars, top, scale));
    top += bars.length * (BAR + BAR_GAP) + ROW_GAP;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top + 8}" width="${WIDTH}" height="${top + 8}" role="img" aria-label="drainshift's proxy and its peers, relative to nginx">
<style>${STYLE}
</style>
<text class="title" x="12" y="24">One core each, relative to nginx: longer is better</text>
${machineLines(results).join('\n')}
${parts.join('\n')}
</svg>
`;
}

function machineLines(results: Results): string[] {
  const [machine = '', versions = ''] = machineText(results).split('; ');
  const lines = [`${machine}, ${results.machine.date.slice(0, 10)}`, versions];
  return lines.map((line, index) => `<text class="small" x="12" y="${42 + index * 15}">${escaped(line)}</text>`);
}

function rowChart(row: RowResult, bars: readonly Bar[], top: number, scale: number): string {
  const lines = bars.map((bar, index) => barChart(bar, top + index * (BAR + BAR_GAP), scale));
  const title = inTwo(row.title).map(
    (line, index) => `<text class="row" x="12" y="${top + 11 + index * 15}">${escaped(line)}</text>`,
  );
  return [...title, ...lines].join('\n');
}

function barChart({ peer, ratio, text }: Bar, y: number, scale: number): string {
  const width = Math.max(1, Math.min(ratio, MAX_VALUES) * scale);
  const cut = ratio > MAX_VALUES ? '» ' : '';
  const label = `${cut}${ratio.toFixed(2)}  ${peer}, ${text}`;
  return (
    `<rect class="${findClass(peer)}" x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2"/>` +
    `<text class="small" x="${(LEFT + width + 6).toFixed(1)}" y="${y + 11}">${escaped(label)}</text>`
  );
}

function listBars(row: RowResult): Bar[] {
  return row.peers.flatMap(({ peer, summary }) => {
    const found = ratioTo(row, peer, REFERENCE);
    if (peer === VARIANT || summary === undefined || found === undefined || !Number.isFinite(found.ratio)) return [];
    const by = found.isByCpu ? `, ${summary.cpuMicros?.toFixed(1)} µs CPU each` : '';
    return [{ peer, ratio: found.ratio, text: valueText(row.unit, summary.value) + by }];
  });
}

/** Pixels of a ratio of 1. */
function computeScale(rows: readonly RowResult[]): number {
  const longest = Math.max(1, ...rows.flatMap((row) => listBars(row).map(({ ratio }) => ratio)));
  return (WIDTH - LEFT - RIGHT) / Math.min(longest, MAX_VALUES);
}

function findClass(peer: string): string {
  return peer.startsWith('@fastify') ? 'fastify' : peer;
}

/** A title in two lines where it is too long for one. */
function inTwo(title: string): string[] {
  if (title.length <= 26) return [title];
  const at = title.lastIndexOf(' ', 26);
  return [title.slice(0, at), title.slice(at + 1)];
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

import { addLatencies, bucketEndMs, findBucket, type LatencyCounts } from '../../core/proxy/latency-buckets';
import { MAX_STALL_MS } from './aims';
import { findPart, findStallMs, type MoveResult } from './figures';

const [WIDTH, LEFT, PLOT, TOP, GAP] = [860, 48, 150, 66, 76];
/** Milliseconds: shorter and longer ones are in the first and the last column. */
const [FIRST, LAST] = [findBucket(8), findBucket(2_000)];
const COLUMN = (WIDTH - 2 * LEFT) / (LAST - FIRST + 1);
const TICKS = [10, 25, 50, 100, MAX_STALL_MS, 500, 1_000, 2_000];

const STYLE = `
  text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328; }
  .title { font-size: 16px; font-weight: 600; } .small { font-size: 11px; fill: #59636e; }
  .stall { fill: #0969da; } .wait { fill: #8c959f; } .axis { stroke: #d1d9e0; } .aim { stroke: #cf222e; stroke-dasharray: 4 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .small { fill: #9198a1; } .stall { fill: #58a6ff; } .wait { fill: #6e7681; }
    .axis { stroke: #3d444d; } .aim { stroke: #f85149; }
  }`;

/** How the stall of all moves is distributed, and what clients waited meanwhile; readable on light and dark pages. */
export function drawChart({ connections, rounds, restWaitsMs }: MoveResult): string {
  const stall = rounds.reduce((all: LatencyCounts, round) => addLatencies(all, round.stall), []);
  const waits = countBuckets(rounds.flatMap(({ waitsMs }) => waitsMs));
  const restP99 = Math.round(findPart(restWaitsMs, 0.99));
  const height = TOP + 2 * (PLOT + GAP);
  const p99 = (counts: LatencyCounts) => `p99 at most ${Math.round(findStallMs(counts, 0.99))} ms`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Distribution of the stall of moves">
<style>${STYLE}
</style>
<text class="title" x="12" y="26">${connections.toLocaleString('en-US')} live WebSockets moved to the other backend${rounds.length > 1 ? `, ${rounds.length} times` : ''}</text>
${drawPanel('stall', `Stall of each move, from pause to go-on: ${p99(stall)}`, stall, TOP)}
${drawPanel('wait', `The longest wait of each client for an acknowledgement: ${p99(waits)} (at rest ${restP99} ms)`, waits, TOP + PLOT + GAP)}
</svg>
`;
}

function drawPanel(name: string, title: string, counts: LatencyCounts, top: number): string {
  const columns = Array.from({ length: LAST - FIRST + 1 }, () => 0);
  for (const [bucket, count] of counts.entries()) columns[Math.min(LAST, Math.max(FIRST, bucket)) - FIRST]! += count;
  const most = Math.max(1, ...columns);
  const bottom = top + 14 + PLOT;
  const bars = columns.map((count, at) => {
    const length = (count / most) * (PLOT - 16);
    const x = LEFT + at * COLUMN;
    return `<rect class="${name}" x="${(x + 1).toFixed(1)}" y="${(bottom - length).toFixed(1)}" width="${(COLUMN - 2).toFixed(1)}" height="${length.toFixed(1)}"/>`;
  });
  const ticks = TICKS.map(
    (ms) => `<text class="small" x="${findX(ms).toFixed(1)}" y="${bottom + 16}" text-anchor="middle">${ms} ms</text>`,
  );
  const aim = findX(MAX_STALL_MS).toFixed(1);
  return [
    `<text x="12" y="${top}">${title}</text>`,
    ...bars,
    `<line class="axis" x1="${LEFT}" y1="${bottom}" x2="${WIDTH - LEFT}" y2="${bottom}"/>`,
    `<line class="aim" x1="${aim}" y1="${top + 14}" x2="${aim}" y2="${bottom}"/>`,
    ...ticks,
  ].join('\n');
}

/** On a logarithmic scale. */
function findX(ms: number): number {
  const perBucket = Math.log2(bucketEndMs(1));
  return LEFT + (Math.log2(ms) / perBucket - (FIRST - 1)) * COLUMN;
}

function countBuckets(values: readonly number[]): LatencyCounts {
  const counts: number[] = [];
  for (const value of values) {
    const bucket = findBucket(value);
    while (counts.length <= bucket) counts.push(0);
    counts[bucket]! += 1;
  }
  return counts;
}

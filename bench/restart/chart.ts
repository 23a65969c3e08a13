import { median, type PeerFigures, type RestartFigures } from './figures';

const [WIDTH, LEFT, RIGHT, TOP, HEIGHT] = [860, 60, 330, 70, 270];
const BOTTOM = TOP + HEIGHT;
const CLASSES = ['ours', 'one', 'two', 'three', 'four', 'five'];

const STYLE = `
  text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328; }
  .title { font-size: 16px; font-weight: 600; } .small { font-size: 11px; fill: #59636e; } .axis { stroke: #d1d9e0; }
  path { fill: none; stroke-width: 2.5; } rect { stroke: none; }
  path.ours { stroke: #0969da; } path.one { stroke: #8c959f; } path.two { stroke: #b6a16b; } path.three { stroke: #cf7a6b; } path.four { stroke: #54aeff; } path.five { stroke: #6639ba; }
  rect.ours { fill: #0969da; } rect.one { fill: #8c959f; } rect.two { fill: #b6a16b; } rect.three { fill: #cf7a6b; } rect.four { fill: #54aeff; } rect.five { fill: #6639ba; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .small { fill: #9198a1; } .axis { stroke: #3d444d; }
    path.ours { stroke: #58a6ff; } path.one { stroke: #6e7681; } path.two { stroke: #8f7f52; } path.three { stroke: #b5675a; } path.four { stroke: #79c0ff; } path.five { stroke: #a475f9; }
    rect.ours { fill: #58a6ff; } rect.one { fill: #6e7681; } rect.two { fill: #8f7f52; } rect.three { fill: #b5675a; } rect.four { fill: #79c0ff; } rect.five { fill: #a475f9; }
  }`;

/** What share of the WebSockets is open, second by second after the order to restart. */
export function drawChart(figures: readonly PeerFigures[]): string {
  const endMs = Math.max(1_000, ...figures.map((one) => findMiddle(one).timeline.at(-1)?.[0] ?? 0));
  const x = (ms: number) => LEFT + (ms / endMs) * (WIDTH - LEFT - RIGHT);
  const lines = figures.map((one, index) => drawPeer(one, index, x, endMs));
  const step = endMs > 8_000 ? 2_000 : 1_000;
  const seconds = Array.from({ length: Math.floor(endMs / step) + 1 }, (_, index) => index * step);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${BOTTOM + 50}" width="${WIDTH}" height="${BOTTOM + 50}" role="img" aria-label="Open WebSockets after the order to restart, by proxy">
<style>${STYLE}
</style>
<text class="title" x="12" y="26">WebSockets that are open after the order to restart</text>
<text class="small" x="12" y="46">share of all; ends where the old processes are gone</text>
${[0, 0.5, 1].map(drawShare).join('\n')}
${seconds.map((ms) => `<text class="small" x="${x(ms).toFixed(1)}" y="${BOTTOM + 18}" text-anchor="middle">${ms / 1000} s</text>`).join('\n')}
${lines.join('\n')}
</svg>
`;
}

function drawShare(share: number): string {
  const y = findY(share);
  return (
    `<line class="axis" x1="${LEFT}" y1="${y}" x2="${WIDTH - RIGHT}" y2="${y}"/>` +
    `<text class="small" x="${LEFT - 8}" y="${y + 4}" text-anchor="end">${share * 100} %</text>`
  );
}

/** Lines that say the same are drawn beside each other. */
function drawPeer(figures: PeerFigures, index: number, x: (ms: number) => number, endMs: number): string {
  const color = CLASSES[index % CLASSES.length]!;
  const shift = index * 3;
  const { timeline } = findMiddle(figures);
  const points = timeline.map(([ms, open]) => [x(ms), findY(open / figures.connections) + shift] as const);
  // Who has lost none at its end has them still.
  const lastY = points.at(-1)?.[1] ?? findY(1);
  const path = [...points, [x(endMs), lastY] as const]
    .map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`)
    .join(' L');
  const top = TOP + 4 + index * 44;
  const textX = WIDTH - RIGHT + 36;
  return [
    `<path class="${color}" d="M${path}"/>`,
    `<rect class="${color}" x="${textX - 18}" y="${top - 9}" width="12" height="12"/>`,
    `<text x="${textX}" y="${top + 1}">${figures.peer}: ${figures.sockets.closed.toLocaleString('en-US')} closed</text>`,
    `<text class="small" x="${textX}" y="${top + 17}">${describe(figures)}</text>`,
  ].join('\n');
}

function describe({ connections, restarts }: PeerFigures): string {
  const times = restarts.map(({ replacedMs = Number.POSITIVE_INFINITY }) => replacedMs);
  return `of ${connections.toLocaleString('en-US')}; one generation after ${(median(times) / 1000).toFixed(1)} s`;
}

function findY(share: number): number {
  return BOTTOM - share * HEIGHT;
}

/** The restart that took neither the longest nor the shortest. */
function findMiddle({ restarts }: PeerFigures): RestartFigures {
  return restarts.toSorted((a, b) => (a.replacedMs ?? Infinity) - (b.replacedMs ?? Infinity))[restarts.length >> 1]!;
}

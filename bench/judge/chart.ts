import { Figures, describeShare, describeTime } from './figures';

const WIDTH = 860;
const [LABEL, GAP, ROW, TOP] = [210, 40, 22, 92];
const PANEL = (WIDTH - LABEL - 2 * GAP) / 2;
/** Minutes are drawn on a logarithmic scale between these. */
const [SHORTEST, LONGEST] = [0.05, 60];

const STYLE = `
  text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328; }
  .title { font-size: 16px; font-weight: 600; } .small { font-size: 11px; fill: #59636e; } .group { font-weight: 600; }
  .ours { fill: #0969da; } .peer { fill: #8c959f; } .axis { stroke: #d1d9e0; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .small { fill: #9198a1; } .ours { fill: #58a6ff; } .peer { fill: #6e7681; } .axis { stroke: #3d444d; }
  }`;

/** What every rule does to a healthy target, beside how soon it finds one with five times the errors. */
export function drawChart(figures: readonly Figures[], { healthy, worse }: { healthy: string; worse: string }): string {
  const rates = [...new Set(figures.map(({ requestsPerMinute }) => requestsPerMinute))];
  const parts: string[] = [];
  let top = TOP;
  for (const rate of rates) {
    parts.push(`<text class="group" x="12" y="${top + 2}">${rate} requests a minute to the target</text>`);
    top += 12;
    const at = figures.filter(({ requestsPerMinute }) => requestsPerMinute === rate);
    for (const alarm of at.filter(({ row }) => row === healthy)) {
      const found = at.find(({ row, rule }) => row === worse && rule === alarm.rule);
      parts.push(drawRule(alarm, found, top));
      top += ROW;
    }
    top += 18;
  }
  const [first, second] = [LABEL, LABEL + PANEL + GAP];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}" role="img" aria-label="False alarms and time to find a failing target, by rule">
<style>${STYLE}
</style>
<text class="title" x="12" y="26">Rules that judge a canary, on the same traffic</text>
<text x="${first}" y="54">Healthy target: rolled back within an hour</text>
<text class="small" x="${first}" y="70">shorter is better</text>
<text x="${second}" y="54">Five times the errors: median time to find it</text>
<text class="small" x="${second}" y="70">shorter is better, logarithmic</text>
${parts.join('\n')}
</svg>
`;
}

function drawRule(alarm: Figures, found: Figures | undefined, top: number): string {
  const color = alarm.rule.startsWith('drainshift') ? 'ours' : 'peer';
  const minutes = found?.medianMinutes;
  return [
    `<text x="${LABEL - 12}" y="${top + 13}" text-anchor="end">${alarm.rule}</text>`,
    drawBar(LABEL, top, alarm.rolledBack / alarm.cutovers, describeShare(alarm), color),
    drawBar(LABEL + PANEL + GAP, top, minutes === undefined ? 0 : findLength(minutes), describeTime(minutes), color),
  ].join('\n');
}

/** @param length 0–1 */
function drawBar(left: number, top: number, length: number, text: string, color: string): string {
  const width = Math.max(1, length * (PANEL - 60));
  return `<rect class="${color}" x="${left}" y="${top + 2}" width="${width.toFixed(1)}" height="14"/><text class="small" x="${(left + width + 6).toFixed(1)}" y="${top + 13}">${text}</text>`;
}

function findLength(minutes: number): number {
  return Math.log(Math.max(SHORTEST, minutes) / SHORTEST) / Math.log(LONGEST / SHORTEST);
}

import { CONNECTION_KINDS } from '../../core/connections';
import { Side, formatWeights } from '../../core/weights';
import { ledgerChart, requestsChart } from './chart';
import type { Picture } from './evidence';
import { summarize } from './summary';

/** One page that stands alone: the verdict, the picture, the stages, the timeline. No script, nothing fetched. */
export function htmlReport(picture: Picture): string {
  const { evidence } = picture;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>drainshift rehearsal: ${evidence.outcome}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1f2328; background: #fff; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.outcome { padding: .1rem .6rem; border-radius: 1rem; color: #fff; background: ${evidence.outcome === 'completed' ? '#1a7f37' : '#b35900'}; }
pre { background: #f6f8fa; padding: 1rem; overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #d8dee4; vertical-align: top; }
td.n { font-variant-numeric: tabular-nums; } svg { width: 100%; height: auto; } .scroll { overflow-x: auto; }
</style></head><body>
<h1>Rehearsal <span class="outcome">${evidence.outcome}</span></h1>
<pre>${escape(summarize(evidence))}</pre>
<h2>Requests per second, by side</h2>
${requestsChart(picture.samples)}
<h2>Live WebSockets and streams, by side</h2>
${ledgerChart(picture.samples)}
<h2>Stages</h2>
<div class="scroll">${table(['weights', 'read back after', 'requests source / target', 'errors source / target', 'verdict'], stageRows(picture))}</div>
<h2>The source's connections in the drain</h2>
<div class="scroll">${table(['kind', 'at its start', 'at its end'], drainRows(picture))}</div>
<h2>Timeline</h2>
<div class="scroll">${table(['at', 'state', 'detail'], timelineRows(picture))}</div>
<h2>Plan</h2>
<pre>${escape(JSON.stringify(evidence.plan, null, 2))}</pre>
</body></html>
`;
}

function stageRows({ evidence }: Picture): string[][] {
  const both = (counts: Readonly<Record<Side, number>>) => `${counts.source} / ${counts.target}`;
  return evidence.stages.map(({ weights, confirmSeconds, observed, errors, verdict }) => [
    formatWeights(weights),
    confirmSeconds === undefined ? 'not confirmed' : `${confirmSeconds.toFixed(1)} s`,
    both(observed),
    both(errors),
    verdict,
  ]);
}

function drainRows({ evidence: { drain } }: Picture): string[][] {
  return CONNECTION_KINDS.map((kind) => [kind, String(drain.atStart[kind]), String(drain.source[kind])]);
}

function timelineRows({ evidence: { timeline, startedAt } }: Picture): string[][] {
  const since = (at: string) => `${((Date.parse(at) - Date.parse(startedAt)) / 1000).toFixed(1)} s`;
  return timeline.map(({ at, state, detail }) => [since(at), state, JSON.stringify(detail)]);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const headings = head.map((text) => `<th>${escape(text)}</th>`).join('');
  const body = rows
    .map((row) => `<tr>${row.map((text) => `<td class="n">${escape(text)}</td>`).join('')}</tr>`)
    .join('\n');
  return `<table><thead><tr>${headings}</tr></thead><tbody>${body}</tbody></table>`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

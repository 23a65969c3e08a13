import type {
  CompareReport,
  CompareVerdict,
  FieldReport,
  Finding,
  RouteReport,
} from '../../core/compare/compare-report';
import {
  FINDING_WORDS,
  describeTotals,
  formatAgainst,
  formatCount,
  formatPercent,
  formatTally,
} from '../../core/compare/describe-comparison';
import { PillKind, escape, note, pill, section } from '../../rehearsal/page/markup';
import { colour, palette } from '../../rehearsal/timeline/palette';

const VERDICT_PILLS: Readonly<Record<CompareVerdict, PillKind>> = {
  promote: 'good',
  'roll back': 'bad',
  inconclusive: 'unsure',
};
const FINDING_PILLS: Readonly<Record<Finding, PillKind>> = {
  differs: 'bad',
  suspect: 'unsure',
  unrepeated: 'unsure',
  rare: 'unsure',
  tolerated: 'good',
  noise: 'plain',
  ignored: 'plain',
};
/** Where a finding stands: the first two parts are open, the last is behind a summary. */
const PARTS: Readonly<Record<Finding, 'beyond' | 'unknown' | 'rest'>> = {
  differs: 'beyond',
  suspect: 'beyond',
  unrepeated: 'unknown',
  rare: 'unknown',
  tolerated: 'rest',
  noise: 'rest',
  ignored: 'rest',
};
/** A page is for people; the document has the rest. */
const MAX_ROWS = 200;

const NARROW = '@media screen and (max-width: 760px)';
const STYLE = `
${palette(':root')}
body { font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', sans-serif; max-width: 72rem; margin: 1.5rem auto; padding: 0 1rem; color: ${colour('ink')}; background: ${colour('page')}; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; line-height: 1.3; margin: 0 0 .6rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; }
.verdict { margin: 0 0 1rem; font-size: 1.1rem; } .pill { padding: .1rem .6rem; border-radius: 1rem; color: #fff; white-space: nowrap; }
.good { background: ${colour('good')}; } .bad { background: ${colour('bad')}; } .unsure { background: ${colour('unsure')}; } .plain { background: ${colour('plain')}; }
.because { border-left: 4px solid ${colour('line')}; padding: .1rem 0 .1rem .8rem; margin: .6rem 0; } .because.bad-line { border-color: ${colour('failure')}; }
.note { color: ${colour('muted')}; font-size: .9rem; margin: .5rem 0; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; } th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid ${colour('line')}; vertical-align: top; } th { overflow-wrap: normal; }
caption { text-align: left; color: ${colour('muted')}; font-size: .9rem; padding: .3rem 0; } td { font-variant-numeric: tabular-nums; }
.bar { height: .5rem; min-width: 6rem; background: ${colour('line')}; border-radius: .25rem; margin: .2rem 0; overflow: hidden; } .bar i { display: block; height: 100%; }
.bar .of-target { background: ${colour('target')}; } .bar .of-source { background: ${colour('source')}; }
code { font: 13px/1.4 ui-monospace, 'SF Mono', Menlo, Consolas, monospace; } .examples { margin: .3rem 0 0; } .examples dt { color: ${colour('muted')}; font-size: .85rem; } .examples dd { margin: 0 0 .4rem; }
details { margin: .6rem 0; } summary { cursor: pointer; color: ${colour('muted')}; }
${NARROW} {
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); } table, tbody, caption, tr { display: block; } tr { padding: .5rem 0; border-bottom: 1px solid ${colour('line')}; }
  td { display: block; padding: .1rem 0; border: 0; } td::before { content: attr(data-label); color: ${colour('muted')}; display: block; font-size: .85rem; }
}
@media print { body { max-width: none; margin: 0; font-size: 10pt; } .pill, .bar, .bar i { print-color-adjust: exact; -webkit-print-color-adjust: exact; } tr { break-inside: avoid; } }
`;

/** A comparison as one page of HTML that needs nothing else. */
export function renderComparePage(report: CompareReport): string {
  const { verdict, because, routes, shared } = report;
  const all: RouteReport[] = shared.length === 0 ? [] : [{ ...NO_ROUTE, fields: shared }];
  const places = [...all, ...routes].flatMap(({ route, fields }) => fields.map((field) => ({ route, field })));
  const [beyond, unknown, rest] = (['beyond', 'unknown', 'rest'] as const).map((part) =>
    places.filter(({ field }) => PARTS[field.finding] === part),
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(`${verdict}: responses of the target and of the source`)}</title><style>${STYLE}</style></head><body>
<h1>Responses of the target and of the source</h1>
<p class="verdict">${pill(VERDICT_PILLS[verdict], verdict)}</p>
${because.map((line) => `<p class="because${verdict === 'roll back' ? ' bad-line' : ''}">${escape(line)}</p>`).join('\n')}
${note(describeTotals(report))}
${note(describeExcluded(report))}
${section('Beyond noise', () => drawOpen('Fields that differ beyond noise, or may', beyond))}
${section('Not known', () => drawOpen('Fields in which only the target differs, seldom or where nothing was repeated', unknown))}
${section('Noise', () => drawRest(rest ?? []))}
${section('Routes', () => drawRoutes(routes))}
</body></html>
`;
}

const NO_ROUTE: RouteReport = { route: 'all routes', comparisons: 0, repeats: 0, differ: 0, fields: [] };

function describeExcluded({ excluded, tolerance, noiseTolerance }: CompareReport): string {
  return (
    `A change in more than ${formatPercent(excluded.quiet)} of the responses is excluded in fields that are not noisy ` +
    `(${formatPercent(tolerance)} is tolerated), in more than ${formatPercent(excluded.noisy)} in noisy ones ` +
    `(${formatPercent(noiseTolerance)}).`
  );
}

interface Place {
  readonly route: string;
  readonly field: FieldReport;
}

function drawOpen(caption: string, places: readonly Place[] = []): string {
  return places.length === 0 ? note('No field.') : drawFields(caption, places);
}

function drawRest(rest: readonly Place[]): string {
  if (rest.length === 0) return note('The source never differs from itself.');
  const title = `${formatCount(rest.length)} fields in which the source differs from itself, or that are tolerated or ignored`;
  return `<details><summary>${escape(title)}</summary>${drawFields(title, rest)}</details>`;
}

const HEAD = ['finding', 'route and field', 'target differs', 'source differs from itself', 'odds against noise'];

function drawFields(caption: string, places: readonly Place[]): string {
  const rows = places.slice(0, MAX_ROWS).map(drawField).join('\n');
  const left = places.length - MAX_ROWS;
  return `${drawTable(caption, HEAD, rows)}${left > 0 ? note(`${formatCount(left)} more are in the JSON document.`) : ''}`;
}

function drawField({ route, field }: Place): string {
  const { finding, comparisons, repeats, odds } = field;
  const cells = [
    pill(FINDING_PILLS[finding], FINDING_WORDS[finding]),
    `${escape(route)}<br><code>${escape(field.field)}</code>${drawExamples(field)}`,
    `${drawBar('of-target', comparisons)}${escape(formatTally(comparisons))}${drawKinds(field)}`,
    `${drawBar('of-source', repeats)}${escape(formatTally(repeats))}`,
    escape(formatAgainst(odds)),
  ];
  return drawRow(HEAD, cells);
}

function drawKinds({ kinds }: FieldReport): string {
  const words = Object.entries(kinds).map(([kind, count]) => `${formatCount(count)} ${kind}`);
  return words.length === 0 ? '' : note(words.join(', '));
}

function drawBar(of: 'of-source' | 'of-target', { compared, differ }: FieldReport['repeats']): string {
  const part = compared === 0 ? 0 : differ / compared;
  const width = Math.max(part > 0 ? 1 : 0, Math.min(100, part * 100)).toFixed(1);
  return `<div class="bar" aria-hidden="true"><i class="${of}" style="width:${width}%"></i></div>`;
}

function drawExamples({ examples, finding }: FieldReport): string {
  if (examples.length === 0) return '';
  const value = (text: string | null) => (text === null ? '<em>none</em>' : `<code>${escape(text)}</code>`);
  const each = examples.map(
    ({ request, kind, source, target }) =>
      `<dt>${escape(request)} (${escape(kind)})</dt><dd>source ${value(source)}<br>target ${value(target)}</dd>`,
  );
  return `<details${PARTS[finding] === 'beyond' ? ' open' : ''}><summary>examples</summary><dl class="examples">${each.join('\n')}</dl></details>`;
}

const ROUTE_HEAD = ['route', 'compared', 'differ in any field', 'repeated'];

function drawRoutes(routes: readonly RouteReport[]): string {
  if (routes.length === 0) return note('Nothing was compared.');
  const rows = routes.map(({ route, comparisons, differ, repeats }) =>
    drawRow(ROUTE_HEAD, [route, ...[comparisons, differ, repeats].map(formatCount)].map(escape)),
  );
  return drawTable('What was compared of each route', ROUTE_HEAD, rows.join('\n'));
}

/** The roles keep it a table where there is no room for columns, too. */
function drawTable(caption: string, head: readonly string[], rows: string): string {
  const headings = head.map((text) => `<th scope="col" role="columnheader">${escape(text)}</th>`).join('');
  return `<table role="table"><caption>${escape(caption)}</caption><thead role="rowgroup"><tr role="row">${headings}</tr></thead>
<tbody role="rowgroup">${rows}</tbody></table>`;
}

/** @param cells HTML */
function drawRow(head: readonly string[], cells: readonly string[]): string {
  const each = cells.map((cell, index) => `<td role="cell" data-label="${escape(head[index] ?? '')}">${cell}</td>`);
  return `<tr role="row">${each.join('')}</tr>`;
}

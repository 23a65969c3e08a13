import { colour, palette } from '../timeline/palette';
import { TIMELINE_STYLE } from '../timeline/switch-chart';

/** Below it tables become cards, and the narrow pictures take the place of the wide ones. */
const NARROW = '@media screen and (max-width: 760px)';

/** Of the page. Printed it is light, and with the wide pictures. */
export const STYLE = `
${palette(':root')}
body { font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', sans-serif; max-width: 62rem; margin: 1.5rem auto; padding: 0 1rem; color: ${colour('ink')}; background: ${colour('page')}; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; line-height: 1.3; margin: 0 0 .6rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; } h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
.verdict { display: flex; flex-wrap: wrap; gap: .4rem; margin: 0 0 1rem; }
.pill { padding: .15rem .7rem; border-radius: 1rem; color: #fff; }
.good { background: ${colour('good')}; } .bad { background: ${colour('bad')}; } .unsure { background: ${colour('unsure')}; } .plain { background: ${colour('plain')}; }
.because { border-left: 4px solid ${colour('failure')}; padding: .1rem 0 .1rem .8rem; margin: .6rem 0; }
.note { color: ${colour('muted')}; font-size: .9rem; margin: .5rem 0; } .failures { color: ${colour('failure')}; } ul, ol { padding-left: 1.3rem; } li { margin: .2rem 0; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .15rem 1rem; margin: .6rem 0; } dt { color: ${colour('muted')}; max-width: 14rem; } dd { margin: 0; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; } th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid ${colour('line')}; vertical-align: top; overflow-wrap: normal; }
caption { text-align: left; color: ${colour('muted')}; font-size: .9rem; padding: .3rem 0; } td { font-variant-numeric: tabular-nums; } .long { overflow-wrap: anywhere; }
details { margin: .6rem 0; } summary { cursor: pointer; color: ${colour('muted')}; }
figure { margin: .6rem 0; } svg { width: 100%; height: auto; display: block; } .narrow { display: none; }
.figure text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; } .figure .title { font-weight: 600; paint-order: stroke; stroke: ${colour('page')}; stroke-width: 3px; stroke-linejoin: round; }
.ink { fill: ${colour('ink')}; } .muted { fill: ${colour('muted')}; } .axis { stroke: ${colour('axis')}; } .grid { stroke: ${colour('line')}; } .mark { stroke: ${colour('muted')}; stroke-dasharray: 3 3; }
.fill-source { fill: ${colour('source')}; fill-opacity: .6; } .under-target { fill: ${colour('target')}; fill-opacity: .3; } .hatch { stroke: ${colour('target')}; stroke-width: 3; } .fill-lost { fill: ${colour('lost')}; }
.line-source, .line-target, .line-odds { fill: none; stroke-width: 2; stroke-linejoin: round; } .line-source { stroke: ${colour('source')}; } .line-target { stroke: ${colour('target')}; stroke-dasharray: 5 3; } .line-odds { stroke: ${colour('ink')}; }
.limit { stroke: ${colour('lost')}; stroke-width: 1.5; stroke-dasharray: 8 4; } .limit-label { fill: ${colour('failure')}; }
.phase { fill: ${colour('line')}; stroke: ${colour('page')}; } .back { fill: ${colour('lost')}; fill-opacity: .3; }
.bar-start, .bar-left { fill: ${colour('source')}; } .bar-completed { fill: ${colour('good')}; } .bar-moved { fill: ${colour('target')}; } .bar-closed { fill: ${colour('axis')}; } .bar-forced { fill: ${colour('busy')}; } .bar-lost { fill: ${colour('lost')}; } .bar-unknown { fill: ${colour('muted')}; } .bar-stripe { stroke: ${colour('page')}; stroke-width: 1.5; }
${TIMELINE_STYLE}
${NARROW} {
  .wide { display: none; } .narrow { display: block; } dl { grid-template-columns: minmax(0, 1fr); gap: 0; } dd { margin-bottom: .5rem; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); } table, tbody, caption { display: block; } tr { display: block; padding: .5rem 0; border-bottom: 1px solid ${colour('line')}; }
  td { display: flex; gap: .8rem; padding: .1rem 0; border: 0; overflow-wrap: anywhere; } td::before { content: attr(data-label); color: ${colour('muted')}; flex: 0 0 7.5rem; }
}
@media print {
  body { max-width: none; margin: 0; font-size: 10pt; } .pill, svg, svg * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h2, h3 { break-after: avoid; } figure, tr { break-inside: avoid; } thead { display: table-header-group; } details { display: none; }
}
`;

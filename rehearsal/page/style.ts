import { colour, palette } from '../timeline/palette';
import { TIMELINE_STYLE } from '../timeline/switch-chart';

/** Of the page; at 640 pixels tables become cards, and the narrow picture takes the place of the wide one. */
export const STYLE = `
${palette(':root')}
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 1.5rem auto; padding: 0 1rem; color: ${colour('ink')}; background: ${colour('page')}; overflow-wrap: break-word; }
h1 { font-size: 1.35rem; line-height: 1.3; } h2 { font-size: 1.1rem; margin-top: 2rem; } h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
.verdict { display: flex; flex-wrap: wrap; gap: .4rem; }
.pill { padding: .15rem .7rem; border-radius: 1rem; color: #fff; }
.good { background: ${colour('good')}; } .bad { background: ${colour('bad')}; } .unsure { background: ${colour('unsure')}; } .plain { background: ${colour('plain')}; }
.note { color: ${colour('muted')}; font-size: .9rem; } .failures { color: ${colour('failure')}; padding-left: 1.2rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .15rem 1rem; margin: 1rem 0; } dt { color: ${colour('muted')}; } dd { margin: 0; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid ${colour('line')}; vertical-align: top; }
td { font-variant-numeric: tabular-nums; } td:first-child { white-space: nowrap; } svg { width: 100%; height: auto; display: block; } .narrow { display: none; }
.ink { fill: ${colour('ink')}; } .muted { fill: ${colour('muted')}; } .axis { stroke: ${colour('axis')}; } .mark { stroke: ${colour('muted')}; stroke-dasharray: 3 3; }
.fill-source { fill: ${colour('source')}; fill-opacity: .55; } .fill-target { fill: ${colour('target')}; fill-opacity: .55; } .fill-lost { fill: ${colour('lost')}; fill-opacity: .9; }
${TIMELINE_STYLE}
@media (max-width: 640px) {
  .wide { display: none; } .narrow { display: block; } dl { grid-template-columns: minmax(0, 1fr); gap: 0; } dd { margin-bottom: .5rem; }
  thead { display: none; } tr { display: block; padding: .5rem 0; border-bottom: 1px solid ${colour('line')}; }
  td { display: flex; gap: .8rem; padding: .1rem 0; border: 0; } td:first-child { white-space: normal; } td::before { content: attr(data-label); color: ${colour('muted')}; flex: 0 0 7.5rem; } .failures, td, dd { overflow-wrap: anywhere; }
}
`;

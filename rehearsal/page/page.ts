import { findDirection } from '../../core/plan/direction';
import { CONNECTION_KINDS, NO_CONNECTIONS } from '../../core/proxy/connections';
import { printable } from '../../core/text/printable';
import { Side, formatWeights } from '../../core/traffic/weights';
import { chart } from './chart';
import type { SwitchRecord } from '../../core/switch/switch-record';
import { switchChart } from '../timeline/switch-chart';
import { describeHandover, titleSwitch } from '../timeline/switch-words';
import { describePhases, findTaskRows, isTraced } from '../timeline/task-phases';
import { describe, words } from './describe';
import type { Evidence } from '../../core/cutover/evidence';
import type { Sample } from '../progress/samples';
import type { RehearsalEvidence } from '../report/evidence';
import { hopsRows } from '../report/hops';
import { scenarioRows } from '../report/scenario-seen';
import { listFacts } from '../report/summary';
import { Verdict, reachVerdict } from '../report/verdict';
import type { Handover } from '../writes/handover';
import { STYLE } from './style';

const WIDE = 900;
/** A telephone held upright, less its margins. */
const NARROW = 358;

/** Of a cutover, and of a rehearsal what its clients saw. */
type AnyEvidence = Evidence & Partial<Omit<RehearsalEvidence, keyof Evidence>>;

/**
 * One page that stands alone: what was lost, the picture, the stages, the timeline. No script, nothing fetched.
 *
 * @param evidence of a cutover or of a rehearsal
 * @param samples what a rehearsal saw while it ran; its evidence does not have them
 */
export function htmlPage(evidence: Evidence, samples: readonly Sample[] = []): string {
  const seen = evidence as RehearsalEvidence;
  const isRehearsal = (evidence as AnyEvidence).traffic !== undefined;
  const name = isRehearsal ? `Rehearsal of ${seen.rehearsal.app}` : `Cutover ${evidence.execution}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(`drainshift: ${name}, ${evidence.outcome}`)}</title>
<style>${STYLE}</style></head><body>
<h1>${escape(name)}</h1>
${
  isRehearsal
    ? ofRehearsal(seen, samples)
    : list([
        ['outcome', evidence.outcome],
        ['date', date(evidence.startedAt)],
      ])
}
${switches(seen)}<h2>Stages</h2>
${table(['weights', 'read back after', 'requests source / target', 'errors source / target', 'verdict'], stageRows(seen))}
<h2>The source's connections in the drain</h2>
${table(['kind', 'at its start', 'at its end'], drainRows(seen))}
${isRehearsal ? applicationSees(seen) : ''}<h2>Timeline</h2>
${table(['at', 'state', 'detail'], timelineRows(seen))}
<h2>Plan</h2>
${list(Object.entries(evidence.plan).map(([key, value]) => [words(key), describe(value)]))}
${isRehearsal ? `<h2>How it was run</h2>\n${list(run(seen))}` : ''}
</body></html>
`;
}

function ofRehearsal(evidence: RehearsalEvidence, samples: readonly Sample[]): string {
  return `<p class="verdict">${pills(reachVerdict(evidence))}</p>
${list(facts(evidence))}
${failures(evidence)}
<h2>What happened</h2>
<p class="note">Second 0 is the start of the cutover, here and in the timeline. A dashed line is a change of the weights (source/target).</p>
<div class="wide">${chart(samples, evidence.startedAt, WIDE)}</div>
<div class="narrow">${chart(samples, evidence.startedAt, NARROW)}</div>
${scenario(evidence)}`;
}

/** Green is for nothing lost, whatever the outcome; what was never tried is beside it. */
function pills({ outcome, lost, notTried }: Verdict): string {
  const pill = (kind: string, text: string) => `<span class="pill ${kind}">${escape(text)}</span>`;
  return [
    pill(outcome === 'failed' ? 'bad' : 'plain', outcome),
    lost.length === 0 ? pill('good', `nothing lost${notTried.length > 0 ? ' of what was tried' : ''}`) : '',
    ...lost.map((what) => pill('bad', what)),
    ...notTried.map((what) => pill('unsure', `not tried: ${what}`)),
  ].join(' ');
}

function facts(evidence: RehearsalEvidence): [string, string][] {
  return [['date', date(evidence.startedAt)], ...listFacts(evidence).filter(([name]) => name !== 'scenario')];
}

function run({ execution, startedAt, rehearsal }: RehearsalEvidence): [string, string][] {
  const { command, version, app, fault, seed, speed, traffic } = rehearsal;
  return [
    ['command', command],
    ['version', `drainshift ${version}`],
    ['app', app],
    ['execution', execution],
    ['date', date(startedAt)],
    ['fault', fault ?? 'none'],
    ['seed', String(seed)],
    ['speed', `waits divided by ${speed}`],
    ['traffic', `times ${traffic}`],
  ];
}

/** `2026-01-31 23:59:59 UTC` */
function date(at: string): string {
  return `${at.slice(0, 19).replace('T', ' ')} UTC`;
}

function failures({ traffic, ownClients, switchSeen }: RehearsalEvidence): string {
  const all = [...(switchSeen?.writes.faults ?? []), ...traffic.failures, ...(ownClients?.failures ?? [])];
  if (all.length === 0) return '';
  const lines = all.map((line) => `<li>${escape(line)}</li>`).join('\n');
  return `<h2>The first of what went wrong</h2>\n<ul class="failures">${lines}</ul>`;
}

/** Each attempt, in its order. */
function switches({ switches: records = [], switchSeen }: RehearsalEvidence): string {
  if (records.length === 0) return '';
  const note =
    'Times are from the first call to hold. Of tasks that were found alike the trace has the first and the last time: what is pale is between them.';
  const drawn = records.map((record, at) => {
    const handover = switchSeen?.handovers?.find(({ epoch }) => epoch === record.epoch);
    return `<h3>${escape(titleSwitch(record))}</h3>\n${drawSwitch(record, handover, `switch-${at + 1}`)}`;
  });
  return `<h2>The switch</h2>\n<p class="note">${note}</p>\n${drawn.join('\n')}\n`;
}

/** A trace that no switch can have written is a fault of its own, which the summary names: the rest of the page stands. */
function drawSwitch(record: SwitchRecord, handover: Handover | undefined, id: string): string {
  const why = record.why === undefined ? '' : `<p>${escape(`Because ${record.why}.`)}</p>\n`;
  if (record.heldAt === undefined) return `${why}<p class="note">No request waited.</p>`;
  if (!isTraced(record)) return `${why}<p class="note">The evidence had no room for the trace of this attempt.</p>`;
  try {
    const rows = findTaskRows(record.trace).map((row) => [row.label, row.id ?? '', describePhases(row)]);
    const said = describeHandover(record, handover).join(' ');
    return `${why}<div class="wide">${switchChart({ record, handover }, `${id}-wide`, WIDE)}</div>
<div class="narrow">${switchChart({ record, handover }, `${id}-narrow`, NARROW)}</div>
<p>${escape(said)}</p>
${table(['task', 'its id', 'found'], rows)}`;
  } catch (error) {
    return `${why}<p class="note">${escape(`The trace of this attempt cannot be drawn: ${(error as Error).message}`)}</p>`;
  }
}

function stageRows({ stages }: RehearsalEvidence): string[][] {
  const both = (counts: Readonly<Record<Side, number>>) => `${counts.source} / ${counts.target}`;
  return stages.map(({ weights, confirmSeconds, observed, errors, verdict }) => [
    formatWeights(weights),
    confirmSeconds === undefined ? 'not confirmed' : `${confirmSeconds.toFixed(1)} s`,
    both(observed),
    both(errors),
    verdict,
  ]);
}

function drainRows({ drain, timeline, plan }: RehearsalEvidence): string[][] {
  const left = drain[findDirection(plan).from] ?? NO_CONNECTIONS;
  if (!timeline.some(({ state }) => state === 'Drain')) return [];
  return CONNECTION_KINDS.map((kind) => [words(kind), String(drain.atStart[kind]), String(left[kind])]);
}

function scenario({ traffic: { entries = [] } }: RehearsalEvidence): string {
  if (entries.length === 0) return '';
  const head = ['entry', 'source', 'target', 'neither side', 'what was wrong'];
  return `<h2>The scenario</h2>\n${table(head, scenarioRows(entries))}\n`;
}

/** Of the demo's application alone. */
function applicationSees({ rehearsal }: RehearsalEvidence): string {
  if (!rehearsal.applicationSees) return '';
  const head = ['side', 'address of the connection', 'X-Forwarded-For', 'your application must'];
  return `<h2>What your application sees</h2>\n${table(head, hopsRows(rehearsal.applicationSees))}\n`;
}

function timelineRows({ timeline, startedAt }: RehearsalEvidence): string[][] {
  const since = (at: string) => `${((Date.parse(at) - Date.parse(startedAt)) / 1000).toFixed(1)} s`;
  return timeline.map(({ at, state, detail }) => [since(at), state, describe(detail)]);
}

function list(rows: readonly (readonly [string, string])[]): string {
  return `<dl>${rows.map(([name, text]) => `<dt>${escape(name)}</dt><dd>${escape(text)}</dd>`).join('\n')}</dl>`;
}

/** Where there is no room for columns each cell says its heading. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '<p>None was begun.</p>';
  const headings = head.map((text) => `<th>${escape(text)}</th>`).join('');
  const cell = (text: string, index: number) => `<td data-label="${escape(head[index] ?? '')}">${escape(text)}</td>`;
  const body = rows.map((row) => `<tr>${row.map(cell).join('')}</tr>`).join('\n');
  return `<table><thead><tr>${headings}</tr></thead><tbody>${body}</tbody></table>`;
}

/** For text and for attributes in quotation marks. */
function escape(text: string): string {
  return printable(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

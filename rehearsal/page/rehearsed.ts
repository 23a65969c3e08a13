import type { SwitchRecord } from '../../core/switch/switch-record';
import type { RehearsalEvidence } from '../report/evidence';
import { hopsRows } from '../report/hops';
import { scenarioRows } from '../report/scenario-seen';
import { listFacts } from '../report/summary';
import { Verdict } from '../report/verdict';
import { switchChart } from '../timeline/switch-chart';
import { capital, describeHandover, describeUnheld, titleSwitch } from '../timeline/switch-words';
import { describePhases, findTaskRows, isTraced } from '../timeline/task-phases';
import type { Handover } from '../writes/handover';
import { escape, list, note, pill, table } from './markup';

/** More of them say no more. */
const MAX_FAILURES = 60;
const MAX_SWITCHES = 20;
const WIDE = 900;
/** A telephone held upright, less its margins. */
const NARROW = 358;

/** Green is for nothing lost, whatever the outcome; what was never tried is beside it. */
export function verdictPills({ outcome, lost, notTried, slower }: Verdict): string {
  return [
    pill(outcome === 'failed' ? 'bad' : 'plain', outcome),
    lost.length === 0 ? pill('good', `nothing lost${notTried.length > 0 ? ' of what was tried' : ''}`) : '',
    ...lost.map((what) => pill('bad', what)),
    ...slower.map((what) => pill('unsure', `slower: ${what}`)),
    ...notTried.map((what) => pill('unsure', `not tried: ${what}`)),
  ].join(' ');
}

/** What the summary says, without what the page has a part of its own for. */
export function facts(evidence: RehearsalEvidence): [string, string][] {
  return listFacts(evidence).filter(([name]) => !['scenario', 'because', 'fault'].includes(name));
}

export function run({ execution, rehearsal }: RehearsalEvidence): string {
  const { command, version, app, seed, speed, traffic } = rehearsal;
  const facts: [string, unknown, string][] = [
    ['command', command, `${command}`],
    ['version', version, `drainshift ${version}`],
    ['app', app, `${app}`],
    ['execution', execution, `${execution}`],
    ['seed', seed, `${seed}`],
    ['speed', speed, `waits divided by ${speed}`],
    ['traffic', traffic, `times ${traffic}`],
  ];
  return list(facts.flatMap(([name, value, text]) => (value === undefined ? [] : [[name, text]])));
}

function describeFault({ fault, faultBeganSeconds }: RehearsalEvidence['rehearsal']): string {
  if (fault === undefined) return 'none';
  return faultBeganSeconds === undefined
    ? `${fault}, which never began`
    : `${fault}, from ${faultBeganSeconds.toFixed(1)} s after the start`;
}

/** What was broken on purpose, and the first of what went wrong. */
export function faults({ traffic, ownClients, switchSeen, rehearsal }: RehearsalEvidence): string {
  const all = [...(switchSeen?.writes.faults ?? []), ...traffic.failures, ...(ownClients?.failures ?? [])];
  const lines = all.slice(0, MAX_FAILURES).map((line) => `<li>${escape(line)}</li>`);
  const injected = list([['injected', describeFault(rehearsal)]]);
  if (lines.length === 0) return `${injected}${note('No client got a wrong response.')}`;
  return `${injected}<h3>The first of what went wrong</h3>\n<ul class="failures">${lines.join('\n')}</ul>`;
}

/** Each attempt, in its order. */
export function switches({ switches: records = [], switchSeen }: Partial<RehearsalEvidence>): string {
  if (records.length === 0) return '';
  const drawn = records.slice(0, MAX_SWITCHES).map((record, at) => {
    const handover = switchSeen?.handovers?.find(({ epoch }) => epoch === record.epoch);
    return `<h3>${escape(titleSwitch(record))}</h3>\n${drawSwitch(record, handover, `switch-${at + 1}`)}`;
  });
  return `${note(
    'Times are from the first call to hold. Of tasks that were found alike the trace has the first and the last time: what is pale is between them.',
  )}\n${drawn.join('\n')}`;
}

/** A trace that no switch can have written is a fault of its own, which the summary names: the rest of the page stands. */
function drawSwitch(record: SwitchRecord, handover: Handover | undefined, id: string): string {
  const why = record.why === undefined ? '' : `<p>${escape(`Because ${record.why}.`)}</p>\n`;
  if (record.heldAt === undefined) return `${why}${note(`${capital(describeUnheld(record))}.`)}`;
  if (!isTraced(record)) return `${why}${note('The evidence had no room for the trace of this attempt.')}`;
  try {
    const rows = findTaskRows(record.trace).map((row) => [row.label, row.id ?? '', describePhases(row)]);
    const said = describeHandover(record, handover).join(' ');
    return `${why}<div class="wide">${switchChart({ record, handover }, `${id}-wide`, WIDE)}</div>
<div class="narrow">${switchChart({ record, handover }, `${id}-narrow`, NARROW)}</div>
${said === '' ? '' : `<p>${escape(said)}</p>`}
${table('The tasks of both sides', ['task', 'its id', 'found'], rows)}`;
  } catch (error) {
    return `${why}${note(`The trace of this attempt cannot be drawn: ${(error as Error).message}`)}`;
  }
}

export function scenario({ traffic: { entries = [] } }: RehearsalEvidence): string {
  if (entries.length === 0) return '';
  const head = ['entry', 'source', 'target', 'no response of a side', 'half took (source, target)', 'what was wrong'];
  return table('The entries of the scenario', head, scenarioRows(entries));
}

/** Of the demo's application alone. */
export function applicationSees({ rehearsal }: RehearsalEvidence): string {
  if (!rehearsal.applicationSees) return '';
  const head = ['side', 'address of the connection', 'X-Forwarded-For', 'your application must'];
  return table('What the application of each side sees', head, hopsRows(rehearsal.applicationSees));
}

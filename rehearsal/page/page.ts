import type { Evidence } from '../../core/cutover/evidence';
import type { Sample } from '../progress/samples';
import { RehearsalEvidence, wasNeverTried } from '../report/evidence';
import { Verdict, reachVerdict } from '../report/verdict';
import { clientFigure } from './charts';
import { describe, words } from './data/describe';
import { escape, list, note, pill, section } from './markup';
import { Cutover, readCutover, sumSides } from './data/read';
import * as rehearsed from './rehearsed';
import * as sections from './sections';
import { STYLE } from './style';
import { findFigures, sumFigures } from './data/series';
import { formatDate, formatElapsed } from './data/time-axis';

const number = (value: number) => value.toLocaleString('en-US');

/**
 * One page that stands alone: what was lost, what happened when, what the judge found, how the connections ended. No script, nothing
 * fetched. It takes any object for evidence: what is missing, or cannot be read, is said and left out.
 *
 * @param evidence of a cutover or of a rehearsal
 * @param samples what a rehearsal saw while it ran; its evidence does not have them
 */
export function htmlPage(evidence: Evidence, samples: readonly Sample[] = []): string {
  const cutover = readCutover(evidence);
  const seen = findSeen(evidence);
  const { app = cutover.execution } = seen?.rehearsal ?? {};
  const name = seen ? `Rehearsal of ${app}` : `Cutover ${cutover.execution}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"/><meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>${escape(`drainshift: ${name}, ${cutover.outcome}`)}</title>
<style>${STYLE}</style></head><body><main>
<h1>${escape(name)}</h1>
<p class="verdict">${findPills(cutover, seen)}</p>
${why(cutover)}${section('In short', () => list(listFacts(cutover, seen)))}
${section('What happened', () => sections.happened(cutover))}
${section('What the judge found', () => sections.judged(cutover))}
${section('Stages', () => sections.staged(cutover))}
${section('What the clients saw', () => clients(cutover, seen, samples))}
${seen ? section('The scenario', () => rehearsed.scenario(seen)) : ''}
${section('The drain', () => sections.drained(cutover))}
${section('Connections that moved', () => sections.moved(cutover))}
${section('The switch', () => rehearsed.switches(evidence))}
${seen ? section('Faults', () => rehearsed.faults(seen)) : ''}
${section('What was not exercised', () => untried(cutover, seen))}
${seen ? section('What your application sees', () => rehearsed.applicationSees(seen)) : ''}
${section('Timeline', () => sections.timeline(cutover, findOutside(evidence, seen)))}
${section('Plan', () => list(Object.entries(cutover.plan).map(([key, value]) => [words(key), describe(value)])))}
${seen ? section('How it was run', () => rehearsed.run(seen)) : ''}
</main></body></html>
`;
}

/** Of a rehearsal what its clients saw. */
function findSeen(evidence: Evidence): RehearsalEvidence | undefined {
  const { traffic, rehearsal } = evidence as Partial<RehearsalEvidence>;
  const isThere =
    typeof traffic === 'object' && traffic !== null && typeof rehearsal === 'object' && rehearsal !== null;
  return isThere ? (evidence as RehearsalEvidence) : undefined;
}

function findVerdict(seen: RehearsalEvidence): Verdict | undefined {
  try {
    return reachVerdict(seen);
  } catch {
    return undefined;
  }
}

function findPills(cutover: Cutover, seen: RehearsalEvidence | undefined): string {
  const verdict = seen && findVerdict(seen);
  return verdict ? rehearsed.verdictPills(verdict) : lossPills(cutover);
}

/** Of a cutover: proxies cannot tell what clients lost on their way to them, so that nothing here is green. */
function lossPills({ outcome, stages, drain }: Cutover): string {
  const lost = stages.reduce((sum, stage) => sum + sumSides(stage.lost), drain?.lost ?? 0);
  return [
    pill(outcome === 'failed' ? 'bad' : 'plain', outcome),
    ...(lost > 0 ? [pill('bad', `${number(lost)} connections lost with their task`)] : []),
    ...(drain && drain.forced > 0 ? [pill('unsure', `${number(drain.forced)} connections forced to end`)] : []),
    ...(drain && drain.unknown > 0 ? [pill('unsure', `${number(drain.unknown)} connections ended unseen`)] : []),
    pill('unsure', 'not measured: what clients saw'),
  ].join(' ');
}

function why({ failure, rollbackError }: Cutover): string {
  const said = failure ? [`${failure.code}: ${failure.message}`] : [];
  const lines = rollbackError === undefined ? said : [...said, `The rollback did not succeed: ${rollbackError}`];
  return lines.map((line) => `<p class="because">${escape(line)}</p>\n`).join('');
}

function listFacts(cutover: Cutover, seen: RehearsalEvidence | undefined): [string, string][] {
  const { source, target } = sumFigures(findFigures(cutover));
  const { from, to } = cutover.direction;
  const isLooked = cutover.polls.some(({ counts }) => counts);
  return [
    ['start', formatDate(cutover.fromMs)],
    ['duration', formatElapsed(cutover.toMs - cutover.fromMs)],
    ['direction', `${from} to ${to}`],
    ...(isLooked
      ? ([
          [
            'source',
            `${number(source.requests)} requests, ${number(source.errors)} errors from the first shift to the last poll`,
          ],
          [
            'target',
            `${number(target.requests)} requests, ${number(target.errors)} errors from the first shift to the last poll`,
          ],
        ] as [string, string][])
      : []),
    ...(seen ? rehearsed.facts(seen) : []),
    ...(cutover.otherRulesChanged.length > 0
      ? [['other rules changed', cutover.otherRulesChanged.join(', ')] as [string, string]]
      : []),
  ];
}

function clients(cutover: Cutover, seen: RehearsalEvidence | undefined, samples: readonly Sample[]): string {
  if (!seen)
    return note('Only a rehearsal has clients of its own. What those of this cutover saw is not in its evidence.');
  const drawn = clientFigure(cutover, samples);
  return drawn ?? note('Not drawn: the rehearsal was too short, or this page was made of its evidence alone.');
}

function untried(cutover: Cutover, seen: RehearsalEvidence | undefined): string {
  const faults = seen && wasNeverTried(seen.rehearsal) ? [`the fault ${seen.rehearsal.fault}: it never began`] : [];
  const names = [...((seen && findVerdict(seen)?.notTried) ?? []), ...faults, ...sections.listUntried(cutover)];
  if (names.length === 0) return note('All of what the judge compares had requests.');
  return `<ul>${names.map((text) => `<li>${escape(text)}</li>`).join('\n')}</ul>`;
}

function findOutside(
  { rollback }: Evidence,
  seen: RehearsalEvidence | undefined,
): Parameters<typeof sections.timeline>[1] {
  const { firstBadResponseAt } = (rollback ?? {}) as NonNullable<RehearsalEvidence['rollback']>;
  const { weights, fault, faultBeganSeconds } = (seen?.rehearsal ?? {}) as Partial<RehearsalEvidence['rehearsal']>;
  return {
    ...(weights && { weights }),
    firstBadResponseAt,
    ...(fault !== undefined &&
      faultBeganSeconds !== undefined && { fault: { name: fault, beganSeconds: faultBeganSeconds } }),
  };
}

import { SIDES, Side } from '../../core/traffic/weights';
import type { EntryProblem, EntryTally } from '../traffic/counting/entries';

/** More are counted together, so that a long recording leaves a summary that can be read. */
const MAX_LINES = 20;
const MAX_NAMES = 3;
const SEEN_ON = ['source', 'target', 'noSide'] as const;
/** Of what no side responded to. */
const NO_SIDE = 'without a response of a side';

const number = (value: number) => value.toLocaleString('en-US');
const ran = ({ bySide }: EntryTally, side: Side) => bySide[side].right + bySide[side].wrong > 0;
const isWrong = ({ bySide }: EntryTally) => SEEN_ON.some((side) => bySide[side].wrong > 0);

const isTried = ({ bySide }: EntryTally) => SEEN_ON.some((side) => bySide[side].right + bySide[side].wrong > 0);
const wasRight = ({ bySide }: EntryTally) => SEEN_ON.some((side) => bySide[side].right > 0);

/** What of a scenario no verdict can be about: entries that were never sent, and those that the side never got that gets the traffic. */
export function listUnexercised(entries: readonly EntryTally[], to: Side = 'target'): string[] {
  const never = entries.filter((entry) => !isTried(entry));
  const notThere = entries.filter((entry) => wasRight(entry) && !ran(entry, to));
  const quoted = ({ name }: EntryTally) => `'${name}'`;
  return [...list(never, quoted), ...list(notThere, (entry) => `${quoted(entry)} on the ${to}`)];
}

/** What was sent and never right, each with what came instead: it was tried, and nothing of it works. */
export function listNeverRight(entries: readonly EntryTally[]): string[] {
  return list(entries.filter(isNeverRight), ({ name, problems: [first] }) =>
    first ? `'${name}' (${describeProblem(first)})` : `'${name}'`,
  );
}

function isNeverRight(entry: EntryTally): boolean {
  return isTried(entry) && !wasRight(entry);
}

function list(entries: readonly EntryTally[], describe: (entry: EntryTally) => string): string[] {
  const shown = entries.slice(0, MAX_NAMES).map(describe);
  const more = entries.length - shown.length;
  return more > 0 ? [...shown, `${number(more)} more ${more === 1 ? 'entry' : 'entries'}`] : shown;
}

/** `wrong: 'shop: GET /cart' on the target, 'chat' on the target, always`; without what was never right on any side. */
export function listWrong(entries: readonly EntryTally[]): string | undefined {
  const some = entries.filter((entry) => isWrong(entry) && !isNeverRight(entry));
  // What fails each time on a side is worse than what fails now and then, and must not be among those that are only counted.
  const wrong = [...some.filter(failsAlways), ...some.filter((entry) => !failsAlways(entry))];
  if (wrong.length === 0) return undefined;
  const names = wrong.slice(0, MAX_NAMES).map((entry) => `'${entry.name}' ${describeSides(entry)}`);
  const more = wrong.length - names.length;
  return `wrong: ${[...names, ...(more > 0 ? [`${number(more)} more`] : [])].join(', ')}`;
}

function failsAlways({ bySide }: EntryTally): boolean {
  return SIDES.some((side) => bySide[side].wrong > 0 && bySide[side].right === 0);
}

function describeSides({ bySide }: EntryTally): string {
  const sides = SEEN_ON.filter((side) => bySide[side].wrong > 0).map((side) => {
    if (side === 'noSide') return NO_SIDE;
    return `on the ${side}${bySide[side].right === 0 ? ', always' : ''}`;
  });
  return sides.join(' and ');
}

/** Name and text of each entry, for the summary: those that are right on both sides in one line where they are many. */
export function scenarioFacts(entries: readonly EntryTally[] = []): [string, string][] {
  const facts = (each: readonly EntryTally[]) =>
    each.map((entry): [string, string] => ['scenario', describeEntry(entry)]);
  if (entries.length <= MAX_LINES) return facts(entries);
  const isGood = (entry: EntryTally) => !isWrong(entry) && SIDES.every((side) => entry.bySide[side].right > 0);
  const good = entries.filter(isGood);
  const rest = facts(entries.filter((entry) => !isGood(entry)));
  return [['scenario', `${number(good.length)} of ${number(entries.length)} entries right on both sides`], ...rest];
}

/** `GET /cart: source 120 right; target 80 right, 3 wrong (200 expected, 401 came)` */
export function describeEntry(entry: EntryTally): string {
  const { name, bySide, problems } = entry;
  const sides = SEEN_ON.filter((side) => side !== 'noSide' || bySide.noSide.wrong > 0).map((side) => {
    const { right, wrong } = bySide[side];
    const [first] = problems.filter((problem) => problem.side === side);
    const why = first ? ` (${describeProblem(first)})` : '';
    if (side === 'noSide') return `${number(wrong)} WRONG ${NO_SIDE}${why}`;
    if (right + wrong === 0) return `${side} NEVER TRIED`;
    if (right === 0) return `${side} NEVER RIGHT, ${number(wrong)} WRONG${why}`;
    return `${side} ${number(right)} right${wrong > 0 ? `, ${number(wrong)} WRONG${why}` : ''}`;
  });
  return `${name}: ${sides.join('; ')}`;
}

function describeProblem({ expected, got }: EntryProblem): string {
  return `expected ${expected}, got ${got}`;
}

/** Each way in which an entry went wrong, in a line. */
export function listProblems(entries: readonly EntryTally[]): string[] {
  return entries.flatMap(({ name, problems }) =>
    problems.map((problem) => {
      const times = problem.count === 1 ? '' : `, ${number(problem.count)} times`;
      const from = problem.side === 'noSide' ? '' : ` from the ${problem.side}`;
      return `'${name}': ${describeProblem(problem)}${from}${times}`;
    }),
  );
}

/** What half of the right responses of each side took; empty where nothing was timed. */
function describeTimes({ times }: EntryTally): string {
  if (!times) return '';
  const shown = SIDES.map((side) => (times[side].count > 0 ? `${number(times[side].halfMs)} ms` : 'none'));
  return shown.every((each) => each === 'none') ? '' : shown.join(', ');
}

/** Of the page: entry, source, target, without a response of a side, times, what was wrong. */
export function scenarioRows(entries: readonly EntryTally[]): string[][] {
  return entries.map((entry) => {
    const cells = SEEN_ON.map((side) => {
      const { right, wrong } = entry.bySide[side];
      if (right + wrong === 0) return side === 'noSide' ? '' : 'never tried';
      return `${number(right)} right${wrong > 0 ? `, ${number(wrong)} wrong` : ''}`;
    });
    const wrong = entry.problems.map(
      (problem) =>
        `${problem.side === 'noSide' ? '' : `${problem.side}: `}${describeProblem(problem)} (${number(problem.count)})`,
    );
    return [entry.name, ...cells, describeTimes(entry), wrong.join('; ')];
  });
}

import { SIDES, Side } from '../../core/traffic/weights';
import type { EntryProblem, EntryTally } from '../traffic/counting/entries';

/** More are counted together, so that a long recording leaves a summary that can be read. */
const MAX_LINES = 20;
const MAX_NAMES = 3;
const SEEN_ON = ['source', 'target', 'neither'] as const;

const number = (value: number) => value.toLocaleString('en-US');
const ran = ({ bySide }: EntryTally, side: Side) => bySide[side].right + bySide[side].wrong > 0;
const isWrong = ({ bySide }: EntryTally) => SEEN_ON.some((side) => bySide[side].wrong > 0);

/** What of a scenario no verdict can be about: entries without a right response, and those without one of the target. */
export function listUnexercised(entries: readonly EntryTally[]): string[] {
  const never = entries.filter(({ bySide }) => SEEN_ON.every((side) => bySide[side].right === 0));
  const notOnTarget = entries.filter((entry) => !never.includes(entry) && !ran(entry, 'target'));
  return [...list(never, ''), ...list(notOnTarget, ' on the target')];
}

function list(entries: readonly EntryTally[], where: string): string[] {
  const names = entries.slice(0, MAX_NAMES).map(({ name }) => `'${name}'${where}`);
  const more = entries.length - names.length;
  return more > 0 ? [...names, `${number(more)} more ${more === 1 ? 'entry' : 'entries'}${where}`] : names;
}

/** `wrong: 'shop: GET /cart' on the target, 'chat' on the target` */
export function listWrong(entries: readonly EntryTally[]): string | undefined {
  const wrong = entries.filter(isWrong);
  if (wrong.length === 0) return undefined;
  const names = wrong.slice(0, MAX_NAMES).map((entry) => `'${entry.name}' ${describeSides(entry)}`);
  const more = wrong.length - names.length;
  return `wrong: ${[...names, ...(more > 0 ? [`${number(more)} more`] : [])].join(', ')}`;
}

function describeSides({ bySide }: EntryTally): string {
  const sides = SEEN_ON.filter((side) => bySide[side].wrong > 0).map((side) =>
    side === 'neither' ? side : `the ${side}`,
  );
  return `on ${sides.join(' and ')}`;
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
  const sides = SEEN_ON.filter((side) => side !== 'neither' || bySide.neither.wrong > 0).map((side) => {
    const { right, wrong } = bySide[side];
    if (right + wrong === 0) return `${side} NEVER TRIED`;
    const [first] = problems.filter((problem) => problem.side === side);
    const why = first ? ` (${describeProblem(first)})` : '';
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
      const from = problem.side === 'neither' ? '' : ` from the ${problem.side}`;
      return `'${name}': ${describeProblem(problem)}${from}${times}`;
    }),
  );
}

/** Of the page: entry, source, target, neither, what was wrong. */
export function scenarioRows(entries: readonly EntryTally[]): string[][] {
  return entries.map((entry) => {
    const cells = SEEN_ON.map((side) => {
      const { right, wrong } = entry.bySide[side];
      if (right + wrong === 0) return side === 'neither' ? '' : 'never tried';
      return `${number(right)} right${wrong > 0 ? `, ${number(wrong)} wrong` : ''}`;
    });
    const wrong = entry.problems.map(
      (problem) =>
        `${problem.side === 'neither' ? '' : `${problem.side}: `}${describeProblem(problem)} (${number(problem.count)})`,
    );
    return [entry.name, ...cells, wrong.join('; ')];
  });
}

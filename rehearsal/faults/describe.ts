import type { Outcome } from '../../core/cutover/run';
import { OUTCOME_CODES } from '../report/exit-code';
import { PHASES, type Phase } from './phases';
import {
  FAULTS,
  LOSSES,
  findEnding,
  findFault,
  type AskedFault,
  type Ending,
  type FaultName,
  type Losses,
} from './table';

/** One line of the table: phases that end alike. */
export interface FaultRow {
  readonly name: FaultName;
  readonly does: string;
  readonly phases: readonly Phase[];
  /** How the cutover must end. */
  readonly outcomes: readonly Outcome[];
  /** Of `drainshift rehearse`. */
  readonly exitCodes: readonly number[];
  /** In words: which losses are the fault's own. */
  readonly losses: string;
  /** At most so many seconds from the fault to weights that read back. */
  readonly restoredWithin?: number;
}

export function listFaultRows(): FaultRow[] {
  return (Object.keys(FAULTS) as FaultName[]).flatMap((name) => {
    const groups = new Map<string, { ending: Ending & { losses: Losses }; phases: Phase[] }>();
    for (const phase of findFault(name).phases) {
      const ending = findEnding({ name, phase });
      const key = JSON.stringify([ending.outcomes, ending.losses, ending.restoredWithin]);
      const group = groups.get(key) ?? { ending, phases: [] };
      groups.set(key, { ...group, phases: [...group.phases, phase] });
    }
    return [...groups.values()].map(({ ending, phases }) => buildRow(name, phases, ending));
  });
}

function buildRow(
  name: FaultName,
  phases: readonly Phase[],
  { outcomes, restoredWithin, losses }: Ending & { readonly losses: Losses },
): FaultRow {
  return {
    ...{ name, does: findFault(name).does, phases, outcomes },
    exitCodes: listExitCodes(outcomes, losses),
    losses: LOSSES[losses],
    ...(restoredWithin !== undefined && { restoredWithin }),
  };
}

function listExitCodes(outcomes: readonly Outcome[], losses: Losses): number[] {
  const codes = outcomes.flatMap((outcome) => {
    const { whole, lossy } = OUTCOME_CODES[outcome];
    return losses === 'none' ? [whole.code] : [lossy.code, whole.code];
  });
  return [...new Set(codes)].sort((a, b) => a - b);
}

/** What a person reads: `drainshift rehearse --list-faults`. */
export function formatFaults(): string {
  const lines = listFaultRows().map(({ name, phases, outcomes, exitCodes, losses, does }, index, rows) => {
    const isSame = rows[index - 1]?.name === name;
    const ends = `    ${phases.join(', ')}: ${outcomes.join(' or ')} (exit code ${exitCodes.join(' or ')}); losses: ${losses}`;
    return isSame ? ends : `${index === 0 ? '' : '\n'}${name}\n  ${does}\n${ends}`;
  });
  const phases = Object.entries(PHASES).map(([name, { when }]) => `  ${name.padEnd(10)}  ${when}`);
  return [
    'drainshift rehearse --fault NAME[@PHASE]; without a phase it begins at the first one that is named.',
    ...['', 'Phases:', ...phases, '', 'Faults, where they begin, and how the cutover must end:', '', ...lines, ''],
  ].join('\n');
}

/** For a table of a Markdown page. */
export function formatFaultTable(): string {
  const head = ['fault', 'begins', 'the cutover must be', 'exit code', 'losses of its own'];
  const rows = listFaultRows().map(
    ({ name, does, phases, outcomes, exitCodes, losses, restoredWithin }, index, all) => [
      all[index - 1]?.name === name ? '' : `\`${name}\`: ${does}`,
      phases.map((phase) => `\`${phase}\``).join(' '),
      `${outcomes.map((outcome) => OUTCOME_WORDS[outcome]).join(' or ')}${restoredWithin === undefined ? '' : `, in ${restoredWithin} s`}`,
      exitCodes.join(' or '),
      losses,
    ],
  );
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export function formatPhaseTable(): string {
  const rows = Object.entries(PHASES).map(([name, { when }]) => [`\`${name}\``, when]);
  return [['phase', 'begins'], ['---', '---'], ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const OUTCOME_WORDS: Readonly<Record<Outcome, string>> = {
  completed: 'completed',
  'rolled-back': 'rolled back',
  refused: 'rejected',
  failed: 'left as it is, and a person asked',
};

/** `target-errors@shift`. */
export function formatAsked({ name, phase }: AskedFault): string {
  return `${name}@${phase}`;
}

/** Every spelling that `--fault` takes. */
export function listSpellings(): string[] {
  return (Object.keys(FAULTS) as FaultName[]).flatMap((name) => [
    name,
    ...findFault(name).phases.map((phase) => formatAsked({ name, phase })),
  ]);
}

/**
 * Reads `NAME` or `NAME@PHASE`.
 *
 * @throws Error that says what there is
 */
export function parseAsked(text: string): AskedFault {
  const [name = '', phase, ...more] = text.split('@');
  if (!isFaultName(name)) {
    throw new Error(`must be one of ${Object.keys(FAULTS).join(', ')} (see --list-faults), got '${text}'`);
  }
  const { phases } = findFault(name);
  const found = phase === undefined ? phases[0] : phases.find((each) => each === phase);
  if (!found || more.length > 0) {
    const spellings = phases.map((each) => formatAsked({ name, phase: each })).join(', ');
    throw new Error(`must be ${name} or one of ${spellings}, got '${text}'`);
  }
  return { name, phase: found };
}

function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(FAULTS, name);
}

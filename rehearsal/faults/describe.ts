import type { Outcome } from '../../core/cutover/run';
import type { Side } from '../../core/traffic/weights';
import { OUTCOME_CODES } from '../report/exit-code';
import { PHASES, type Phase } from './phases';
import {
  REHEARSED_SWITCH_FAULTS,
  SWITCH_PARTS,
  findSwitchFault,
  type AskedSwitchFault,
  type SwitchFault,
  type SwitchPart,
} from './switch-table';
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
  readonly name: string;
  readonly does: string;
  /** Of a cutover, or the parts of a switch. */
  readonly phases: readonly (Phase | SwitchPart)[];
  /** Whether the plan must switch (`drainThenShift`). */
  readonly isOfSwitch: boolean;
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
  return [...listGradualRows(), ...REHEARSED_SWITCH_FAULTS.map(buildSwitchRow)];
}

function buildSwitchRow({ name, does, parts, ends, harmsMs }: SwitchFault): FaultRow {
  const losses = harmsMs === 0 ? 'none' : harmsMs === Infinity ? 'untilLeft' : 'moment';
  return {
    ...{ name, does, phases: parts, isOfSwitch: true, outcomes: ends },
    ...{ exitCodes: listExitCodes(ends, losses), losses: LOSSES[losses] },
  };
}

function listGradualRows(): FaultRow[] {
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
    ...{ name, does: findFault(name).does, phases, isOfSwitch: false, outcomes },
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
  const lines = listFaultRows().map(({ name, phases, outcomes, exitCodes, losses, does, isOfSwitch }, index, rows) => {
    const before = rows[index - 1];
    const isSame = before?.name === name && before.isOfSwitch === isOfSwitch;
    const ends = `    ${phases.join(', ')}: ${outcomes.join(' or ')} (exit code ${exitCodes.join(' or ')}); losses: ${losses}`;
    return isSame ? ends : `${index === 0 ? '' : '\n'}${name}\n  ${does}\n${ends}`;
  });
  const phases = [...Object.entries(PHASES), ...Object.entries(SWITCH_PARTS)].map(
    ([name, { when }]) => `  ${name.padEnd(10)}  ${when}`,
  );
  return [
    'drainshift rehearse --fault NAME[@PHASE]; without a phase it begins at the first one that is named.',
    ...['', 'Phases:', ...phases, '', 'Faults, where they begin, and how the cutover must end:', '', ...lines, ''],
  ].join('\n');
}

/** For a table of a Markdown page: of a cutover, or of a switch. */
export function formatFaultTable(isOfSwitch = false): string {
  const head = ['fault', 'begins', 'the cutover must be', 'exit code', 'losses of its own'];
  const chosen = listFaultRows().filter((row) => row.isOfSwitch === isOfSwitch);
  const rows = chosen.map(({ name, does, phases, outcomes, exitCodes, losses, restoredWithin }, index, all) => [
    all[index - 1]?.name === name ? '' : `\`${name}\`: ${does}`,
    phases.map((phase) => `\`${phase}\``).join(' '),
    `${outcomes.map((outcome) => OUTCOME_WORDS[outcome]).join(' or ')}${restoredWithin === undefined ? '' : `, in ${restoredWithin} s`}`,
    exitCodes.join(' or '),
    losses,
  ]);
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export function formatPhaseTable(phases: Readonly<Record<string, { readonly when: string }>> = PHASES): string {
  const rows = Object.entries(phases).map(([name, { when }]) => [`\`${name}\``, when]);
  return [['phase', 'begins'], ['---', '---'], ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const OUTCOME_WORDS: Readonly<Record<Outcome, string>> = {
  completed: 'completed',
  'rolled-back': 'rolled back',
  refused: 'rejected',
  failed: 'left as it is, and a person asked',
};

/** A fault of a cutover, or of a switch. */
export type AnyAsked = AskedFault | AskedSwitchFault;

/** `target-errors@shift`. */
export function formatAsked(asked: AnyAsked): string {
  return `${asked.name}@${'part' in asked ? asked.part : asked.phase}`;
}

export function describeAsked(asked: AnyAsked): string {
  return 'part' in asked ? findSwitchFault(asked.name).does : findFault(asked.name).does;
}

/** The sides whose backend it breaks. */
export function findBrokenSides(asked: AnyAsked): readonly Side[] {
  return ('part' in asked ? findSwitchFault(asked.name).sides : findFault(asked.name).sides) ?? [];
}

/** Every spelling that `--fault` takes. */
export function listSpellings(): string[] {
  return [
    ...new Set(listFaultRows().flatMap(({ name, phases }) => [name, ...phases.map((phase) => `${name}@${phase}`)])),
  ];
}

/**
 * Reads `NAME`, `NAME@PHASE` or, of a switch, `NAME@PART`.
 *
 * @throws Error that says what there is
 */
export function parseAsked(text: string): AnyAsked {
  const [name = '', place, ...more] = text.split('@');
  const known = listAskedNamed(name);
  if (known.length === 0) {
    const names = [...new Set(listFaultRows().map((row) => row.name))];
    throw new Error(`must be one of ${names.join(', ')} (see --list-faults), got '${text}'`);
  }
  const found = place === undefined ? known[0] : known.find((each) => formatAsked(each) === `${name}@${place}`);
  if (!found || more.length > 0) {
    throw new Error(`must be ${name} or one of ${known.map(formatAsked).join(', ')}, got '${text}'`);
  }
  return found;
}

function listAskedNamed(name: string): AnyAsked[] {
  const parts = REHEARSED_SWITCH_FAULTS.find((each) => each.name === name)?.parts ?? [];
  const phases = isFaultName(name) ? findFault(name).phases.map((phase): AskedFault => ({ name, phase })) : [];
  return [...phases, ...parts.map((part): AskedSwitchFault => ({ name, part }))];
}

function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(FAULTS, name);
}

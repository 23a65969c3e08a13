import { formatWeights } from '../../../core/traffic/weights';
import type { Cutover, Entry } from './read';
import { readWeights } from './read';

/** A part of a cutover, as a person would name it. */
export interface Phase {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** Of a phase that is no progress. */
  readonly isBack?: true;
}

type Begins = Pick<Phase, 'name' | 'isBack'>;

/** What begins with an entry of the timeline; undefined where it belongs to the phase before. */
const BEGINS: Readonly<Record<string, (detail: Entry['detail']) => Begins>> = {
  Shift: (detail) => ({ name: findWeightsName(detail) }),
  Window: () => ({ name: 'window' }),
  Drain: () => ({ name: 'drain' }),
  Verify: () => ({ name: 'end' }),
  Rollback: () => ({ name: 'rollback', isBack: true }),
};

function findWeightsName(detail: Entry['detail']): string {
  const weights = readWeights(detail['weights']);
  return weights ? formatWeights(weights) : 'shift';
}

/** One after the other, from the start to the end. */
export function findPhases({ entries, switches, fromMs, toMs }: Cutover): Phase[] {
  const starts: { readonly atMs: number; readonly next: Begins }[] = [
    ...switches.map(({ startedMs }) => ({ atMs: startedMs, next: { name: 'switch' } })),
    ...entries.flatMap(({ atMs, state, detail }) => {
      const find = Object.hasOwn(BEGINS, state) ? BEGINS[state] : undefined;
      return find ? [{ atMs, next: find(detail) }] : [];
    }),
  ];
  starts.sort((a, b) => a.atMs - b.atMs);
  const phases: Phase[] = [{ name: 'prepare', fromMs, toMs }];
  for (const { atMs, next } of starts) {
    const last = phases.at(-1)!;
    if (next.name === last.name) continue;
    const startMs = Math.min(toMs, Math.max(last.fromMs, atMs));
    phases[phases.length - 1] = { ...last, toMs: startMs };
    phases.push({ ...next, fromMs: startMs, toMs });
  }
  return phases.filter((phase) => phase.toMs > phase.fromMs);
}

import { MOVES, Moves } from '../../core/moves/moves';
import { parsePlan } from '../../core/plan/plan';
import { SideState } from '../../core/judge/side-state';
import { SIDES, Side } from '../../core/traffic/weights';
import { SMOKE_VARIABLE } from '../../core/cutover/cutover-config';
import type { Ports } from '../contract/ports';
import { readSide } from '../shared/sides';
import { createHandler } from '../shared/step';
import { undrain } from '../shared/undrain';

/** What a person's command asks for. */
export interface UndrainCall {
  readonly side: Side;
  /**
   * Which of the connections that its proxies carry move back from the other side's backend.
   * @default - none
   */
  readonly moves?: Moves;
}

export interface Undrained {
  /** Whether the side serves now. */
  readonly state: SideState;
  /** One line for each task that could not be told to serve again. */
  readonly notUndrained: readonly string[];
}

/**
 * Lets every proxy of a side serve again, and looks whether the side serves: before a person gives it weight. A function of
 * its own, because the admin port of the proxies is closed to the person's computer.
 */
export async function undrainSide({ side, moves = 'none' }: UndrainCall, ports: Ports): Promise<Undrained> {
  if (!SIDES.includes(side)) throw new Error(`'side' must be one of ${SIDES.join(', ')}, got ${JSON.stringify(side)}`);
  if (!MOVES.includes(moves))
    throw new Error(`'moves' must be one of ${MOVES.join(', ')}, got ${JSON.stringify(moves)}`);
  const notUndrained = await undrain(side, moves, ports);
  const { smoke } = parsePlan({ smoke: JSON.parse(process.env[SMOKE_VARIABLE] ?? '[]') as unknown });
  const { state } = await readSide(side, { smoke }, ports, 1);
  return { state, notUndrained };
}

export const handler = createHandler(undrainSide);

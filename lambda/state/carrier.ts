import type { HookCallRecord } from '../../core/switch/hook';
import type { Side } from '../../core/traffic/weights';
import type { TaskSession } from '../contract/switch-ports';

const UNKNOWN_COPY = 'the copy before the hold must be known, got a switch that another call had begun';

/** Of the switch in whose hold state is carried. */
export interface CarryContext {
  readonly epoch: number;
  /** Of the last switch that was committed: what requests of clients carry. */
  readonly committed: number;
  readonly from: Side;
  readonly to: Side;
  /** The tasks that responded to the last call. */
  readonly sessions: () => readonly TaskSession[];
}

/** What a part that carries state came to. */
export type Carried = Pick<HookCallRecord, 'bytes' | 'keys' | 'resumed' | 'problem'>;

/** Carries the state of an application in the parts of a hook. */
export interface Carrier {
  transfer(context: CarryContext, limitMs: number): Promise<Carried>;
  /** Whether both sides hold the same. */
  verify(context: CarryContext, limitMs: number): Promise<Carried>;
}

/** Of a switch that another call had begun, and whose copy is not known: nothing is committed without the state. */
export const NO_CARRIER: Carrier = {
  transfer: () => Promise.resolve({ problem: UNKNOWN_COPY }),
  verify: () => Promise.resolve({ problem: UNKNOWN_COPY }),
};

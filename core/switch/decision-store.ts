import type { Decision } from './decision';
import type { Regime } from './regime';

/** The store of a switch, as a proxy task may use it. */
export interface DecisionStore {
  /** Undefined where there was no switch yet. @throws Error when the store does not respond, or what it holds is damaged */
  readRegime(): Promise<Regime | undefined>;
  /** @throws Error as `readRegime` */
  readDecision(epoch: number): Promise<Decision | undefined>;
  /**
   * Writes a decision unless there is one.
   *
   * @returns the one that holds, which may be another one
   * @throws Error as `readRegime`; a conflict of two writers is none, and is tried again
   */
  propose(epoch: number, decision: Decision): Promise<Decision>;
}

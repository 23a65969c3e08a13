import type { Side } from '../../core/traffic/weights';
import type { SmokePort } from './ports';

/** What a proof may do to the outside world. */
export interface ProofPorts {
  readonly smoke: SmokePort;
  healthyTargets(side: Side): Promise<number>;
  /** Milliseconds since the epoch. */
  now(): number;
  pause(milliseconds: number): Promise<void>;
}

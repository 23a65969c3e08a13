export type Outcome = 'commit' | 'abort';

/** What became of a switch. Written once for each epoch, by the first writer, and never changed. */
export interface Decision {
  readonly outcome: Outcome;
  /** The execution, or the proxy task whose lease expired. */
  readonly by: string;
  /** Of an abort. */
  readonly why?: string;
  /**
   * A hook thaws the side that serves before any request goes to it. A task whose lease still runs, and is renewed meanwhile, waits
   * for its release, or for the regime to be settled.
   */
  readonly thawsFirst?: boolean;
}

export const REGIME_KEY = 'switch/regime.json';
export const DECISION_PREFIX = 'switch/decision/';

export function decisionKey(epoch: number): string {
  return `${DECISION_PREFIX}${epoch}.json`;
}

/** @throws Error that names what is wrong; a decision that cannot be read is never guessed */
export function parseDecision(text: string): Decision {
  const value = JSON.parse(text) as Partial<Decision> | null;
  const { outcome } = value ?? {};
  if (outcome !== 'commit' && outcome !== 'abort') {
    throw new Error(`a decision in the store must be as drainshift wrote it, got ${text.slice(0, 200)}`);
  }
  return value as Decision;
}

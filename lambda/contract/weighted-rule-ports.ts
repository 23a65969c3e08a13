import type { Forward } from '../../core/traffic/forward';
import type { RuleProperties } from '../../core/traffic/rule-properties';
import type { LiveRule, RuleChanges, RuleLock } from '../../core/traffic/weighted-rule';

/** What the owner of a weighted rule may do to the outside world. `adapters/` has the one implementation, on AWS. */
export interface RulePorts {
  readonly rules: RulesPort;
  readonly lock: LockPort;
}

/** A rule and its tags. */
export interface TaggedRule extends LiveRule {
  readonly tags: Tags;
}

export type Tags = Readonly<Record<string, string>>;

export interface RulesPort {
  /** The rules of a listener, its default one too; none when the listener is gone. */
  onListener(listenerArn: string): Promise<TaggedRule[]>;
  /** Undefined when it is gone. */
  find(ruleArn: string): Promise<TaggedRule | undefined>;
  /** @returns the ARN of the rule */
  create(properties: RuleProperties, forward: Forward, tags: Tags): Promise<string>;
  modify(ruleArn: string, changes: RuleChanges, tags: Tags): Promise<void>;
  /** Succeeds also when it is gone. */
  delete(ruleArn: string): Promise<void>;
  healthyTargets(groupArn: string): Promise<number>;
}

export interface LockPort {
  /** Who holds it, other than `execution` itself; none when the store is gone. */
  heldByAnother(execution: string): Promise<RuleLock | undefined>;
  /**
   * Does the work while it holds the lock, and gives it back whatever happens. Where that fails the work's result counts,
   * and the lock ends by itself.
   */
  holding<T>(execution: string, work: (lease: Lease) => Promise<T>): Promise<T>;
}

/** The lock while it is held. */
export interface Lease {
  /** Milliseconds since the epoch by the clock of this process. After it no call that changes something may begin. */
  readonly untilMs: number;
  /** @throws CutoverError `LockLost` when it has ended, or ends soon, or is another's */
  check(): Promise<void>;
}

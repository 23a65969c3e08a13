/** Who holds the lock. */
export interface LockHolder {
  readonly execution: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /**
   * ISO 8601. From then on anybody may take the lock over. Only a deployment's and a person's have it: those work for
   * seconds, and when they are killed there is nothing to put back. A cutover's lock never ends by itself.
   */
  readonly expiresAt?: string;
}

/** How long the lock lasts of somebody who was cut short; far longer than any of them works. */
export const LOCK_SECONDS = { deploy: 900, manual: 300 } as const;

export function isExpired({ expiresAt }: LockHolder, nowMs: number): boolean {
  return expiresAt !== undefined && Date.parse(expiresAt) <= nowMs;
}

/** For a message: `held by 'move-1' since …`. */
export function describeHolder({ execution, startedAt, expiresAt }: LockHolder): string {
  const end = expiresAt === undefined ? '' : `, which ends by itself at ${expiresAt}`;
  return `held by '${execution}' since ${startedAt}${end}`;
}

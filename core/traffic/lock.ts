import { oneLine } from '../text/one-line';

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

/**
 * How long the lock of an interrupted holder lasts. A deployment's: longer than its function can live, and over
 * before CloudFormation gives up and asks for the rollback. A person's: longer than a change takes.
 */
export const LOCK_SECONDS = { deploy: 150, manual: 300 } as const;

/** Before the end of the lock nothing is begun any more that may take this long: one attempt of a call. */
export const LAST_CALL_SECONDS = 15;

export function isExpired({ expiresAt }: LockHolder, nowMs: number): boolean {
  return expiresAt !== undefined && Date.parse(expiresAt) <= nowMs;
}

/** For a message about a lock that no one gives back: its cutover has ended with it. */
export function adviseToFree(storeBucket: string): string {
  return `free the lock: aws s3 rm s3://${storeBucket}/lock.json`;
}

/** For a message, in one line whatever the lock says: `held by 'move-1' since …`. */
export function describeHolder({ execution, startedAt, expiresAt }: LockHolder): string {
  const end = expiresAt === undefined ? '' : `, which ends by itself at ${oneLine(expiresAt)}`;
  return `held by '${oneLine(execution)}' since ${oneLine(startedAt)}${end}`;
}

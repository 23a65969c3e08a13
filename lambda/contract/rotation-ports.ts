/** The secret that is rotated. A version's id is the token of the rotation that made it. */
export interface RotatedSecret {
  /** The versions that have labels, by id; and when the current one was made. */
  versions(): Promise<{
    readonly labels: Readonly<Record<string, readonly string[]>>;
    readonly currentSinceMs: number;
  }>;
  /** Adds a version with the label AWSPENDING; one that is there already with a value stays. */
  addPending(versionId: string): Promise<void>;
  /** Moves AWSCURRENT, and with it AWSPREVIOUS. */
  makeCurrent(versionId: string, before: string | undefined): Promise<void>;
  /** Takes AWSPENDING away from it. */
  settle(versionId: string): Promise<void>;
}

/** A version of the secret. Its id is the token of the rotation that made it. */
export interface SecretVersion {
  readonly id: string;
  readonly labels: readonly string[];
  readonly createdMs: number;
}

/** What is known of the secret. */
export interface SecretHistory {
  /** All that there are, also those without labels: Secrets Manager keeps each for a day at least. */
  readonly versions: readonly SecretVersion[];
  /** When Secrets Manager ended its last rotation; none where it has ended none, or rotations are turned off. */
  readonly lastRotatedMs: number | undefined;
}

/** The secret that is rotated. */
export interface RotatedSecret {
  history(): Promise<SecretHistory>;
  /** Adds a version with the label AWSPENDING; one that is there already with a value stays. */
  addPending(versionId: string): Promise<void>;
  /** Moves AWSCURRENT. AWSPREVIOUS moves with it, and AWSPENDING goes, in the same call. */
  makeCurrent(versionId: string, before: string | undefined): Promise<void>;
}

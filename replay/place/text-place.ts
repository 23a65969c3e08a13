/** A text, and what tells it from what stands there later. */
export interface StoredText {
  readonly text: string;
  readonly version: string;
}

/** Where a text is read and replaced as a whole: a file, or an object of S3. */
export interface TextPlace {
  readonly name: string;
  /** Whether its writers are processes of this machine. */
  readonly isLocal: boolean;
  /** Undefined where there is none. */
  read(): Promise<StoredText | undefined>;
  /**
   * Replaces it whole: whenever this process ends, there is one that can be read.
   *
   * @param over the version that it replaces; undefined where there must be none
   * @returns its version; undefined where another one stands there, which is left alone
   */
  write(text: string, over: string | undefined): Promise<string | undefined>;
}

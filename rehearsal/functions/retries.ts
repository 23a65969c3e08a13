/** What becomes of an asynchronous call of a function that fails. */
export interface Retries {
  /** Milliseconds before each call that Lambda itself repeats. */
  readonly lambdaPausesMs: readonly number[];
  /** The queue that holds what failed, and calls the function again; absent when it is dropped. */
  readonly queue?: {
    readonly arn: string;
    /** A message that was not dealt with shows again after this time. */
    readonly visibilityMs: number;
    /** So often it is handed over before it is given up; Infinity for a queue without a limit. */
    readonly maxReceives: number;
  };
}

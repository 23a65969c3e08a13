/** What one rule made of one row at one rate. */
export interface Figures {
  readonly row: string;
  readonly rule: string;
  /** Of the target. */
  readonly requestsPerMinute: number;
  readonly cutovers: number;
  readonly rolledBack: number;
  /** Of all of them, those that were not rolled back as the longest. Absent where most were not. */
  readonly medianMinutes?: number;
}

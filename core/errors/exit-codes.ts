export interface ExitCode {
  readonly code: number;
  readonly meaning: string;
}

/** How every command ends, so that a program can tell one end from another. `docs/errors.md` is checked against it. */
export const EXIT_CODES = {
  done: { code: 0, meaning: 'Done. Of a rehearsal: completed, and nothing lost.' },
  failed: {
    code: 1,
    meaning:
      'Rejected or failed, with the reason. Of a rehearsal: no verdict, a switch that did not keep to the protocol, a redeploy that moved the weights, or a fault that never began. Of `verify` and `verdict`: evidence is rejected. Of `hold --dry-run`: a task is unknown. Of `check`: a threshold is broken. Of `replay`: requests are parked, or its comparison says roll back. Of `proxy mirror`: it says roll back.',
  },
  rolledBack: {
    code: 2,
    meaning:
      'A rehearsal rolled back, and nothing was lost. Of `watch` and `rollback`: it failed, and the traffic is where it was.',
  },
  rolledBackWithLoss: { code: 3, meaning: 'A rehearsal rolled back, and something was lost.' },
  completedWithLoss: { code: 4, meaning: 'A rehearsal completed, and something was lost.' },
  refused: {
    code: 5,
    meaning:
      'A cutover that was rehearsed, watched or started by `rollback` was rejected before it changed anything. Of `doctor`: it would be.',
  },
  stuck: {
    code: 6,
    meaning:
      'A cutover that was rehearsed, watched or started by `rollback` neither completed nor rolled back: a person has to decide.',
  },
  unknown: {
    code: 7,
    meaning:
      'Of `doctor`: what speaks against a cutover could not be found out. Of `check`: whether the thresholds hold could not be found out, or it was stopped. Of `replay`: it was stopped, or its comparison is inconclusive. Of `proxy mirror`: it is inconclusive.',
  },
  wrongUse: { code: 64, meaning: 'A command line, a plan, an app or evidence is invalid; nothing was started.' },
} as const satisfies Record<string, ExitCode>;

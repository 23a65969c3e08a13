import type { Outcome } from '../../core/cutover/run';
import { EXIT_CODES, ExitCode } from '../../core/errors/exit-codes';
import { RehearsalEvidence, wasNeverTried, keptWeights } from './evidence';
import { listTraceFaults } from './trace-faults';
import { reachVerdict } from './verdict';

export const OUTCOME_CODES: Readonly<Record<Outcome, { readonly whole: ExitCode; readonly lossy: ExitCode }>> = {
  completed: { whole: EXIT_CODES.done, lossy: EXIT_CODES.completedWithLoss },
  'rolled-back': { whole: EXIT_CODES.rolledBack, lossy: EXIT_CODES.rolledBackWithLoss },
  refused: { whole: EXIT_CODES.refused, lossy: EXIT_CODES.refused },
  failed: { whole: EXIT_CODES.stuck, lossy: EXIT_CODES.stuck },
};

/** A switch that did not keep to the protocol, an adoption that lost something, a redeploy that moved the weights, or that could not be rolled back, is no success whatever the cutover did. */
export function chooseExitCode(evidence: RehearsalEvidence): number {
  const { adoption, redeploy } = evidence.rehearsal;
  if (adoption && !adoption.isLossless) return EXIT_CODES.failed.code;
  if (redeploy && (!keptWeights(redeploy) || redeploy.status === 'UPDATE_ROLLBACK_FAILED'))
    return EXIT_CODES.failed.code;
  // What it was run for was never tried.
  if (wasNeverTried(evidence.rehearsal)) return EXIT_CODES.failed.code;
  if (listTraceFaults(evidence).length > 0) return EXIT_CODES.failed.code;
  const { outcome, lost } = reachVerdict(evidence);
  const { whole, lossy } = OUTCOME_CODES[outcome];
  return (lost.length === 0 ? whole : lossy).code;
}

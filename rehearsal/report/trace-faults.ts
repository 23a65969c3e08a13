import { verifyEvidence } from '../../core/switch/verify-evidence';
import { EvidenceUnreadable } from '../../core/validation/shapes';
import type { RehearsalEvidence } from './evidence';

/**
 * What shows that a switch did not keep to the protocol: a fault of drainshift's own, whatever the cutover came to. What the
 * logs of both sides show is among the losses.
 */
export function listTraceFaults(evidence: RehearsalEvidence): readonly string[] {
  if (!evidence.switches || evidence.switches.length === 0) return [];
  try {
    return verifyEvidence({ ...evidence, switchSeen: undefined }).faults;
  } catch (error) {
    if (error instanceof EvidenceUnreadable) return error.message.split('\n');
    throw error;
  }
}

import { describeTotals } from '../../core/compare/describe-comparison';
import type { RecordingResult } from '../traffic/counting/recording-result';

/** What of the target's responses is not as it was recorded, in words; none where nothing is, or where it is not known. */
export function listRecordingProblems({ comparison: { verdict, because } }: RecordingResult): string[] {
  return verdict === 'roll back' ? [`the target responds otherwise than the source: ${because[0] ?? 'unknown'}`] : [];
}

/** What has not been shown. */
export function listUnproven({ comparison: { verdict } }: RecordingResult): string[] {
  return verdict === 'inconclusive' ? ['enough to say that both sides respond alike'] : [];
}

/** What was sent, and how its responses compare with the recorded ones; lines of a summary. */
export function recordingFacts(seen: RecordingResult | undefined): [string, string][] {
  if (!seen) return [];
  const { rounds, skipped, maxBehindMs, comparison } = seen;
  const times = rounds === 1 ? 'once' : `${rounds} times`;
  return [
    [
      'recording',
      `sent ${times}, ${skipped} requests left out, at most ${(maxBehindMs / 1_000).toFixed(1)} s behind its pace`,
    ],
    ['compared', `${comparison.verdict}: ${comparison.because[0] ?? 'nothing was compared'}`],
    ['responses', describeTotals(comparison)],
  ];
}

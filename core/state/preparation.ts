import { formatBytes } from '../text/bytes';
import type { Side } from '../traffic/weights';

/** Which copy it is: the one before this attempt to switch, from one side to the other. */
export interface CopyPlace {
  readonly from: Side;
  readonly to: Side;
  /** From 1 on. */
  readonly attempt: number;
}

/** The copy of an application's state before a hold, as far as it is. */
export interface StatePreparation extends CopyPlace {
  /** ISO 8601. */
  readonly startedAt: string;
  /** How often it was started: by another task, or behind a failure. */
  readonly starts: number;
  /** Copies that failed. */
  readonly failures: number;
  /** The proxy task that carries it. */
  readonly task?: string;
  /** Looks in a row that it did not respond to. */
  readonly unanswered: number;
  /** Why the last of them brought nothing. */
  readonly why?: string;
  readonly isReady: boolean;
  readonly bytes: number;
  readonly keys?: number;
  readonly resumed: number;
  readonly tookMs: number;
  /** Where the copy in the hold begins. */
  readonly cursor?: string;
}

/** The one of this place, or one that begins now. */
export function findPreparation(
  { preparation }: { readonly preparation?: StatePreparation | undefined },
  place: CopyPlace,
  nowMs: number,
): StatePreparation {
  const isSame = preparation?.to === place.to && preparation.attempt === place.attempt;
  return isSame ? preparation : begin(place, 0, nowMs);
}

/** What follows one that failed. */
export function beginAgain({ from, to, attempt, failures, starts }: StatePreparation, nowMs: number): StatePreparation {
  return { ...begin({ from, to, attempt }, failures + 1, nowMs), starts };
}

/** For a person who waits: `the state is copied to the target, 23.1 KiB so far`. */
export function describePreparation({ to, bytes, isReady, failures }: StatePreparation): string {
  const again = failures === 0 ? '' : `, behind ${failures} ${failures === 1 ? 'copy' : 'copies'} that failed`;
  return `the state ${isReady ? 'was' : 'is'} copied to the ${to}, ${formatBytes(bytes)}${isReady ? '' : ' so far'}${again}`;
}

/** Of the copy, for the proxies and the application; no other has the same. */
export function formatCopyId(execution: string, { to, attempt, starts }: StatePreparation): string {
  return `${execution.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, 80)}.${to}.${attempt}.${starts}`;
}

function begin({ from, to, attempt }: CopyPlace, failures: number, nowMs: number): StatePreparation {
  const startedAt = new Date(nowMs).toISOString();
  const nothing = { bytes: 0, resumed: 0, tookMs: 0, unanswered: 0, starts: 0, isReady: false };
  return { from, to, attempt, startedAt, failures, ...nothing };
}

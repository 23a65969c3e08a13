import type { CaptureReport } from './capture-report';
import { isSameStore } from './store-url';

/** What a plan asks of a capture. */
export interface CaptureLimits {
  readonly maxUnrecorded: number;
  readonly maxPendingSeconds: number;
}

/** What the capture of a side lacks. */
export interface CaptureGap {
  /** Name, rule and value. */
  readonly message: string;
  /** Nothing makes up for it. What does not last is worth waiting for. */
  readonly isLasting: boolean;
}

/** Why one replay cannot bring all that these have served; undefined where it can. */
export function findUnreplayable(captures: readonly CaptureReport[]): string | undefined {
  const names = new Set(captures.flatMap(({ leavesOut = [] }) => leavesOut));
  if (names.size > 0)
    return `the proxies must record each write, got some that are left out by ${[...names].join(', ')}`;
  const stores = captures.flatMap(({ store }) => store ?? []);
  const other = stores.find((store) => !isSameStore(store, stores[0]!));
  return other === undefined ? undefined : `the proxies must record into one store, got '${stores[0]}' and '${other}'`;
}

/** @param tasks those that are to stay; without a report of one its capture is unknown, and that is found elsewhere */
export function findCaptureGaps(
  { maxUnrecorded, maxPendingSeconds }: CaptureLimits,
  side: string,
  tasks: readonly { readonly address: string; readonly report?: { readonly capture?: CaptureReport } }[],
): CaptureGap[] {
  const known = tasks.flatMap(({ address, report }) => (report ? [{ address, capture: report.capture }] : []));
  const without = known.filter(({ capture }) => capture === undefined).map(({ address }) => address);
  const captures = known.flatMap(({ address, capture }) => (capture ? [{ address, capture }] : []));
  const unrecorded = captures.reduce((sum, { capture }) => sum + capture.unrecorded, 0);
  const late = captures.filter(({ capture }) => capture.isFailing || capture.pendingMs > 1000 * maxPendingSeconds);
  const gaps: CaptureGap[] = [];
  if (without.length > 0)
    gaps.push({
      isLasting: true,
      message: `every proxy of the ${side} must record its traffic, got none at ${without.slice(0, 3).join(', ')}`,
    });
  if (unrecorded > maxUnrecorded)
    gaps.push({
      isLasting: true,
      message: `'capture.maxUnrecorded': the ${side} must have forwarded at most ${maxUnrecorded} requests without a record, got ${unrecorded}`,
    });
  if (late.length > 0) {
    const [{ address, capture }] = late as [(typeof late)[number]];
    const got = capture.isFailing ? 'a store that takes none' : `${Math.round(capture.pendingMs / 1000)} s`;
    const rule = `the records of the ${side} must be written within ${maxPendingSeconds} s`;
    gaps.push({ isLasting: false, message: `'capture.maxPendingSeconds': ${rule}, got ${got} at ${address}` });
  }
  return gaps;
}

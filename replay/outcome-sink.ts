import { parseRequestLine, parseStatusLine } from '../core/capture/http-message';
import type { Replayed } from '../core/replay/tuple';
import { isSafeMethod } from '../core/traffic/safe-methods';
import type { ReplaySink } from './results';

/** A write with another outcome at the target, and both statuses. */
export interface Differing {
  readonly replayed: Pick<Replayed, 'id' | 'request'>;
  readonly recorded: number;
  readonly got: number;
}

const isFailure = (status: number): boolean => status >= 400;

/** Counts the writes that succeeded where they were recorded and failed at the target, or the reverse. */
export class OutcomeSink implements ReplaySink {
  differing = 0;
  first: Differing | undefined;

  take({ id, request, response, targetResponses }: Replayed): void {
    const recorded = response && parseStatusLine(response.startLine)?.status;
    const got = targetResponses.at(-1)?.status;
    if (recorded === undefined || got === undefined || isFailure(recorded) === isFailure(got)) return;
    if (isSafeMethod(parseRequestLine(request.startLine)?.method ?? '')) return;
    this.differing += 1;
    this.first ??= { replayed: { id, request }, recorded, got };
  }
}

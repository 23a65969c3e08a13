import { own } from '../../core/validation/own';
/**
 * What Step Functions ends a standard execution for.
 *
 * @see https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
 */
const MAX_PAYLOAD_BYTES = 262_144;
const MAX_HISTORY_EVENTS = 25_000;

/** Entered and exited; a task is scheduled, started and succeeds between them; a failure is entered only. */
const EVENTS_OF_STATE: Readonly<Record<string, number>> = { Task: 5, Fail: 1 };
const EVENTS_OF_OTHER_STATES = 2;
/** Failed, and scheduled and started anew. */
const EVENTS_OF_RETRY = 3;
const EVENTS_OF_START_AND_END = 2;

/** A payload that was over the limit. Neither Retry nor Catch holds it. */
class DataLimitExceeded extends Error {
  override readonly name = 'States.DataLimitExceeded';
  readonly isRetryable = false;
  readonly isCatchable = false;

  constructor(state: string, what: string, bytes: number) {
    super(`the ${what} of '${state}' must be at most ${MAX_PAYLOAD_BYTES} bytes, got ${bytes}`);
  }
}

/** The history has no room for another event. */
class HistoryFull extends Error {
  override readonly name = 'States.Runtime';

  constructor() {
    super(`The execution reached the maximum number of history events (${MAX_HISTORY_EVENTS}).`);
  }
}

/** @throws DataLimitExceeded */
export function checkPayload(state: string, what: 'input' | 'output', payload: unknown): void {
  const bytes = Buffer.byteLength(JSON.stringify(payload) ?? '');
  if (bytes > MAX_PAYLOAD_BYTES) throw new DataLimitExceeded(state, what, bytes);
}

/** Of an event of the library, what the limits are about. */
interface StateEvent {
  readonly type: string;
  readonly state?: { readonly name: string; readonly type: string; readonly input: unknown; readonly output?: unknown };
}

/** Holds one execution to the limits, event by event. */
export class Limits {
  private events = EVENTS_OF_START_AND_END;

  /** @throws DataLimitExceeded, HistoryFull */
  check({ type, state }: StateEvent): void {
    if (!state) return;
    if (type === 'StateEntered') {
      this.events += own(EVENTS_OF_STATE, state.type) ?? EVENTS_OF_OTHER_STATES;
      checkPayload(state.name, 'input', state.input);
    }
    if (type === 'StateRetried') this.events += EVENTS_OF_RETRY;
    if (type === 'StateExited') checkPayload(state.name, 'output', state.output);
    if (this.events > MAX_HISTORY_EVENTS) throw new HistoryFull();
  }
}

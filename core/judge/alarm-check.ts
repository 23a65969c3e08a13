import { ErrorCode } from '../errors/errors';
import { oneLine } from '../text/one-line';
import { Side } from '../traffic/weights';

/** An alarm as CloudWatch reads it back. */
export interface AlarmReading {
  readonly name: string;
  readonly state: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';
  /** CloudWatch's own words. */
  readonly reason: string;
}

/** Names of alarms: of those that are metric alarms for sure, and of all others. */
export interface AlarmNames {
  readonly metric: readonly string[];
  readonly other: readonly string[];
}

/**
 * The alarms that a cutover checks, by the side they are about: one about the source speaks against a rollback, any other
 * against going on. The constructs write them into the definition of the state machine, and they travel in the state of the
 * execution: a rollback needs nothing else to know them, and the environment of a function has no room for many.
 */
export type CheckedAlarms = Readonly<Record<Side, AlarmNames>>;

export interface AlarmFinding {
  readonly code: Extract<ErrorCode, 'AlarmRaised' | 'AlarmMissing'>;
  readonly message: string;
}

/** CloudWatch's reasons are up to 1,023 characters each, and the message travels in the state of the execution. */
const MAX_LINES = 10;

/**
 * Why the alarms about a side block it; undefined when none does. INSUFFICIENT_DATA blocks nothing: an alarm on errors has
 * no data for as long as there are none. A deleted alarm blocks: it cannot say any more what it would have said.
 */
export function checkAlarms(
  checked: CheckedAlarms | undefined,
  readings: readonly AlarmReading[],
  side: Side,
): AlarmFinding | undefined {
  const names = new Set(checked && [...checked[side].metric, ...checked[side].other]);
  const raised = readings.filter(({ name, state }) => names.has(name) && state === 'ALARM');
  if (raised.length > 0) {
    const lines = raised.map(
      ({ name, reason }) => `the alarm '${oneLine(name)}' must not be in ALARM, got ${oneLine(reason) || 'ALARM'}`,
    );
    return { code: 'AlarmRaised', message: findFirst(lines) };
  }
  const read = new Set(readings.map(({ name }) => name));
  const missing = [...names].filter((name) => !read.has(name));
  if (missing.length === 0) return undefined;
  return {
    code: 'AlarmMissing',
    message: findFirst(missing.map((name) => `the alarm '${oneLine(name)}' must exist, got none`)),
  };
}

function findFirst(lines: readonly string[]): string {
  const more = lines.length - MAX_LINES;
  return [...lines.slice(0, MAX_LINES), ...(more > 0 ? [`and ${more} more like it`] : [])].join('\n');
}

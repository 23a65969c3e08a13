import { ErrorCode } from './errors';
import { oneLine } from './one-line';
import { Side } from './weights';

/** An alarm as CloudWatch reads it back. */
export interface AlarmReading {
  readonly name: string;
  readonly state: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';
  /** CloudWatch's own words. */
  readonly reason: string;
}

/** An alarm that a cutover heeds. `side` is `source` for one that speaks against going back; any other speaks against going on. */
export interface HeededAlarm {
  readonly name: string;
  readonly side: Side;
}

export interface AlarmFinding {
  readonly code: Extract<ErrorCode, 'AlarmRaised' | 'AlarmMissing'>;
  readonly message: string;
}

/**
 * Why the alarms about a side block it; undefined when none does. INSUFFICIENT_DATA blocks nothing: an alarm on errors has
 * no data for as long as there are none. A deleted alarm blocks: it cannot say any more what it would have said.
 */
export function checkAlarms(
  heeded: readonly HeededAlarm[],
  readings: readonly AlarmReading[],
  side: Side,
): AlarmFinding | undefined {
  const names = heeded.filter((alarm) => alarm.side === side).map(({ name }) => name);
  const raised = readings.filter(({ name, state }) => names.includes(name) && state === 'ALARM');
  if (raised.length > 0) {
    const lines = raised.map(
      ({ name, reason }) => `the alarm '${oneLine(name)}' must not be in ALARM, got ${oneLine(reason) || 'ALARM'}`,
    );
    return { code: 'AlarmRaised', message: lines.join('\n') };
  }
  const missing = names.filter((name) => !readings.some((reading) => reading.name === name));
  if (missing.length === 0) return undefined;
  return {
    code: 'AlarmMissing',
    message: missing.map((name) => `the alarm '${oneLine(name)}' must exist, got none`).join('\n'),
  };
}

import { ErrorCode } from './errors';

/** An alarm as CloudWatch reads it back. */
export interface AlarmReading {
  readonly name: string;
  readonly state: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';
  /** CloudWatch's own words. */
  readonly reason: string;
}

export interface Veto {
  readonly code: Extract<ErrorCode, 'AlarmRaised' | 'AlarmMissing'>;
  readonly message: string;
}

/**
 * Why the alarms forbid to go on; undefined when none does. INSUFFICIENT_DATA forbids nothing: an alarm on errors has no
 * data for as long as there are none. An alarm that is gone does: nobody can say any more what it would have said.
 */
export function vetoOf(names: readonly string[], readings: readonly AlarmReading[]): Veto | undefined {
  const raised = readings.filter(({ name, state }) => names.includes(name) && state === 'ALARM');
  if (raised.length > 0) {
    const lines = raised.map(
      ({ name, reason }) => `the alarm '${name}' must not be in ALARM, got ${reason || 'ALARM'}`,
    );
    return { code: 'AlarmRaised', message: lines.join('\n') };
  }
  const missing = names.filter((name) => !readings.some((reading) => reading.name === name));
  if (missing.length === 0) return undefined;
  return {
    code: 'AlarmMissing',
    message: missing.map((name) => `the alarm '${name}' must exist, got none`).join('\n'),
  };
}

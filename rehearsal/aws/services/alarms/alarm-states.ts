export const ALARM_STATES = ['OK', 'ALARM', 'INSUFFICIENT_DATA'] as const;

export type AlarmState = (typeof ALARM_STATES)[number];

/** What a template says of an alarm. */
export interface AlarmSpec {
  readonly name: string;
  readonly arn: string;
  readonly kind: 'metric' | 'composite';
  readonly description: string | undefined;
}

export interface Alarm extends AlarmSpec {
  readonly state: AlarmState;
  readonly reason: string;
  readonly changedAt: Date;
}

/** The alarms of the account. No metric moves them here: they are OK until a caller sets another state. */
export class AlarmStates {
  private readonly alarms = new Map<string, Alarm>();

  /** Adds an alarm in state OK; one that is there keeps its state. */
  put(spec: AlarmSpec, now = new Date()): void {
    const { state = 'OK', reason = 'Nothing has happened yet', changedAt = now } = this.alarms.get(spec.name) ?? {};
    this.alarms.set(spec.name, { ...spec, state, reason, changedAt });
  }

  /** @returns false when there is no such alarm */
  set(name: string, state: AlarmState, reason: string, now = new Date()): boolean {
    const alarm = this.alarms.get(name);
    if (alarm) this.alarms.set(name, { ...alarm, state, reason, changedAt: now });
    return alarm !== undefined;
  }

  get all(): Alarm[] {
    return [...this.alarms.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

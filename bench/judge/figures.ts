import { median } from '../report/results';
import type { Minutes } from './cutover';

/** What one rule made of one row at one rate. */
export interface Figures {
  readonly row: string;
  readonly rule: string;
  /** Of the target. */
  readonly requestsPerMinute: number;
  readonly cutovers: number;
  readonly rolledBack: number;
  /** Of all of them, those that were not rolled back as the longest. Absent where most were not. */
  readonly medianMinutes?: number;
}

/** Of each rule, from the parts of one row at one rate. */
export function sumParts(of: Pick<Figures, 'row' | 'requestsPerMinute'>, parts: readonly Minutes[]): Figures[] {
  return Object.keys(parts[0] ?? {}).map((rule) => {
    const minutes = parts.flatMap((part) => part[rule] ?? []).map((each) => each ?? Infinity);
    const middle = median(minutes);
    return {
      ...{ row: of.row, rule, requestsPerMinute: of.requestsPerMinute },
      cutovers: minutes.length,
      rolledBack: minutes.filter(Number.isFinite).length,
      ...(Number.isFinite(middle) && { medianMinutes: middle }),
    };
  });
}

export function describeFigures({
  row,
  rule,
  requestsPerMinute,
  cutovers,
  rolledBack,
  medianMinutes,
}: Figures): string {
  const soon = medianMinutes === undefined ? '' : `, median ${describeTime(medianMinutes)}`;
  return `${row}; ${requestsPerMinute} requests a minute; ${rule}: ${rolledBack} of ${cutovers} rolled back${soon}`;
}

export function describeTime(minutes: number | undefined): string {
  if (minutes === undefined) return 'not found';
  return minutes < 1 ? `${Math.round(minutes * 60)} s` : `${minutes.toFixed(1)} min`;
}

export function describeShare({ rolledBack, cutovers }: Pick<Figures, 'rolledBack' | 'cutovers'>): string {
  return `${Number(((rolledBack / cutovers) * 100).toPrecision(2))} %`;
}

const UNITS = { h: 3_600, m: 60, s: 1 } as const;

/** `90s`, `5m`, `1h30m`; in what ECMA-262 and other readers of JSON Schema share. */
export const DURATION_PATTERN = '^(?=.)([0-9]+h)?([0-9]+m)?([0-9]+s)?$';

const DURATION = new RegExp(DURATION_PATTERN);

/** The seconds of a duration in words. Undefined of anything else. */
export function parseDuration(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+)([hms])/g)];
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit as keyof typeof UNITS], 0);
}

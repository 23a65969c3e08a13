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

const MS_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** What `parseMilliseconds` reads, for a message. */
export const MILLISECONDS_RULE = 'a time such as 250ms, 1.5s or 2m';

/** The milliseconds of a time with one unit. Undefined of anything else. */
export function parseMilliseconds(text: string): number | undefined {
  const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  if (count === undefined || unit === undefined) return undefined;
  return Math.round(Number(count) * MS_UNITS[unit as keyof typeof MS_UNITS]);
}

import type { Problems } from '../validation/problems';
import {
  COUNT,
  Check,
  FLAG,
  INTEGER,
  NUMBER,
  NUMBER_OR_NULL,
  TEXT,
  bothSides,
  isOneOf,
  eachIs,
  hasFields,
  optional,
  readObject,
  valuesAre,
} from '../validation/shapes';
import { BAKE_VERDICTS, LookRecord } from './look-record';

/** What is behind the end of time by ECMA-262 is no time. */
const MAX_MS = 8.64e15;
const MILLISECONDS: Check = [
  'milliseconds since the epoch',
  (value) => NUMBER[1](value) && Math.abs(value as number) <= MAX_MS,
];
const NUMBERS: Check = ['a list of numbers', eachIs(NUMBER)[1]];
const WINDOW: Check = [
  'a list of numbers of at least 0',
  (value) => NUMBERS[1](value) && (value as readonly number[]).every((count) => count >= 0),
];
const REPORT = hasFields({ all: WINDOW, routes: valuesAre(WINDOW) });

const RECORDS: { readonly [Kind in LookRecord['kind']]: Readonly<Record<string, Check>> } = {
  begin: {
    ...{ at: MILLISECONDS, judge: optional(INTEGER), until: INTEGER, routes: eachIs(TEXT), past: WINDOW },
    counts: optional(bothSides(NUMBERS)),
  },
  shift: { at: MILLISECONDS, stage: COUNT },
  poll: {
    ...{ at: MILLISECONDS, after: INTEGER, until: INTEGER, windows: optional(bothSides(REPORT)) },
    ...{ counts: bothSides(NUMBERS), isServing: FLAG, isConfirmed: FLAG, isSilent: optional(isOneOf(true)) },
    ...{ odds: optional(NUMBER_OR_NULL), said: optional(TEXT), found: optional(TEXT) },
  },
  bake: { at: MILLISECONDS, elapsedSeconds: NUMBER, canPromote: FLAG, verdict: isOneOf(...BAKE_VERDICTS) },
  restart: { at: MILLISECONDS },
};

/** Whether it is a list of what the judge was given, as far as its form says. */
export function checkLooks(name: string, value: unknown, problems: Problems): void {
  if (!Array.isArray(value)) return problems.add(name, 'a list', value);
  const kind = { kind: isOneOf(...Object.keys(RECORDS)) };
  value.forEach((each: unknown, at) => {
    const before = problems.all.length;
    const record = readObject(`${name}[${at}]`, each, kind, problems);
    if (record && problems.all.length === before) {
      readObject(`${name}[${at}]`, record, RECORDS[record['kind'] as LookRecord['kind']], problems);
    }
  });
}

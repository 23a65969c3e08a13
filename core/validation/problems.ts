import { CutoverError } from '../errors/errors';
import { oneLine } from '../text/one-line';

/** An unknown key is a name, too. */
const MAX_NAME = 200;

/**
 * Reads untrusted values one by one and collects every problem, so that a person fixes a file once and not ten times.
 * Each problem is one line: name, rule, value.
 */
export class Problems {
  private readonly lines: string[] = [];

  add(name: string, rule: string, value: unknown): void {
    this.lines.push(`'${oneLine(name, MAX_NAME)}' must be ${rule}, got ${show(value)}`);
  }

  get all(): readonly string[] {
    return this.lines;
  }

  /** @throws CutoverError with every line when there is at least one problem. */
  throwIfAny(code: 'PlanInvalid' | 'ConfigInvalid'): void {
    if (this.lines.length > 0) throw new CutoverError(code, this.lines.join('\n'));
  }

  /** An object with no keys but `known`; an absent or wrong value reads as an empty object. */
  object(name: string, value: unknown, known: readonly string[]): Record<string, unknown> {
    if (value === undefined) return {};
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.add(name, 'an object', value);
      return {};
    }
    for (const key of Object.keys(value)) {
      if (!known.includes(key)) this.add(name === '' ? key : `${name}.${key}`, `one of ${known.join(', ')}`, key);
    }
    return value as Record<string, unknown>;
  }

  integer(name: string, value: unknown, bounds: { min: number; max: number; default?: number }): number {
    if (value === undefined && bounds.default !== undefined) return bounds.default;
    if (Number.isInteger(value) && (value as number) >= bounds.min && (value as number) <= bounds.max) {
      return value as number;
    }
    this.add(name, `an integer from ${bounds.min} to ${bounds.max}`, value);
    return bounds.default ?? bounds.min;
  }

  number(name: string, value: unknown, bounds: { min: number; max: number; default: number }): number {
    if (value === undefined) return bounds.default;
    if (typeof value === 'number' && value >= bounds.min && value <= bounds.max) return value;
    this.add(name, `a number from ${bounds.min} to ${bounds.max}`, value);
    return bounds.default;
  }

  boolean(name: string, value: unknown, fallback: boolean): boolean {
    if (value === undefined) return fallback;
    if (typeof value === 'boolean') return value;
    this.add(name, 'true or false', value);
    return fallback;
  }
}

function show(value: unknown): string {
  return value === undefined ? 'nothing' : oneLine(JSON.stringify(value) ?? typeof value);
}

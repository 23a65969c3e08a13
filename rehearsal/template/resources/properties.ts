import { own } from '../../../core/validation/own';
import { UsageError } from '../../errors/usage-error';

/** Resolved properties of one resource, read by type: a template is untrusted input. */
export class Properties {
  constructor(
    private readonly of: string,
    readonly raw: Readonly<Record<string, unknown>>,
  ) {}

  string(name: string, fallback?: string): string {
    const value = own(this.raw, name) ?? fallback;
    if (typeof value === 'string') return value;
    throw this.wrong(name, 'a string', value);
  }

  optionalString(name: string): string | undefined {
    return own(this.raw, name) === undefined ? undefined : this.string(name);
  }

  /** CloudFormation takes numbers as text too. */
  number(name: string, fallback?: number): number {
    const value = own(this.raw, name) ?? fallback;
    const number = typeof value === 'string' && value !== '' ? Number(value) : value;
    if (typeof number === 'number' && Number.isFinite(number)) return number;
    throw this.wrong(name, 'a number', value);
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = own(this.raw, name) ?? fallback;
    return value === true || value === 'true';
  }

  object(name: string): Properties {
    const value = own(this.raw, name) ?? {};
    if (typeof value !== 'object' || Array.isArray(value)) throw this.wrong(name, 'an object', value);
    return new Properties(`${this.of}.${name}`, value as Record<string, unknown>);
  }

  has(name: string): boolean {
    return own(this.raw, name) !== undefined;
  }

  list(name: string): Properties[] {
    return this.items(name).map(
      (item, index) => new Properties(`${this.of}.${name}[${index}]`, item as Record<string, unknown>),
    );
  }

  strings(name: string): string[] {
    return this.items(name).map(String);
  }

  record(name: string): Record<string, string> {
    return Object.fromEntries(Object.entries(this.object(name).raw).map(([key, value]) => [key, String(value)]));
  }

  /** `[{Key, Value}]`, as attributes and tags come. */
  pairs(name: string): Map<string, string> {
    return new Map(this.list(name).map((pair) => [pair.string('Key'), pair.string('Value')]));
  }

  private items(name: string): unknown[] {
    const value = own(this.raw, name) ?? [];
    if (!Array.isArray(value)) throw this.wrong(name, 'a list', value);
    return value;
  }

  private wrong(name: string, rule: string, value: unknown): UsageError {
    return new UsageError(
      `'${this.of}.${name}' of the template must be ${rule}, got ${value === undefined ? 'nothing' : JSON.stringify(value)}`,
    );
  }
}

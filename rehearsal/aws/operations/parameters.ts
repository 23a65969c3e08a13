import { own } from '../../../core/validation/own';
import { AwsError } from '../../errors/aws-error';

/**
 * The parameters of one call, read one by one because they come from outside. A number or a boolean may be its text,
 * which is all that the Query protocol has.
 */
export class Parameters {
  constructor(
    private readonly values: Readonly<Record<string, unknown>>,
    /** The code with which this service rejects a parameter. */
    readonly invalidCode: string,
    private readonly path = '',
  ) {}

  has(name: string): boolean {
    return this.value(name) !== undefined;
  }

  /** The names of the parameters that were given. */
  get names(): string[] {
    return Object.keys(this.values).filter((name) => this.has(name));
  }

  text(name: string): string {
    const value = this.optionalText(name);
    if (value === undefined || value === '') throw this.reject(name, 'given', value);
    return value;
  }

  optionalText(name: string): string | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === 'string') return value;
    throw this.malformed(name, 'a string', value);
  }

  optionalInteger(name: string, bounds: { min: number; max: number }): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isInteger(number)) throw this.malformed(name, 'an integer', value);
    if (number < bounds.min || number > bounds.max) {
      throw this.reject(name, `an integer from ${bounds.min} to ${bounds.max}`, number);
    }
    return number;
  }

  /** Any finite number. */
  number(name: string): number {
    const value = this.value(name);
    const number = typeof value === 'string' && value !== '' ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isFinite(number)) throw this.malformed(name, 'a number', value);
    return number;
  }

  /** As they were given, to be described again. */
  get given(): Readonly<Record<string, unknown>> {
    return this.values;
  }

  optionalBoolean(name: string): boolean | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === 'boolean') return value;
    if (value === 'true' || value === 'false') return value === 'true';
    throw this.malformed(name, 'true or false', value);
  }

  /** An absent list reads as an empty one. */
  texts(name: string): string[] {
    return this.list(name).map((value) => {
      if (typeof value !== 'string') throw this.malformed(name, 'a list of strings', value);
      return value;
    });
  }

  objects(name: string): Parameters[] {
    return this.list(name).map((value, index) => this.nested(`${name}[${index}]`, value));
  }

  optionalObject(name: string): Parameters | undefined {
    const value = this.value(name);
    return value === undefined ? undefined : this.nested(name, value);
  }

  /** `'DesiredCount' must be …, got …` under the code of the service. */
  reject(name: string, rule: string, value: unknown): AwsError {
    return new AwsError(this.invalidCode, this.sentence(name, rule, value));
  }

  private list(name: string): readonly unknown[] {
    const value = this.value(name);
    // The Query protocol writes an empty list as an empty text.
    if (value === undefined || value === '') return [];
    if (!Array.isArray(value)) throw this.malformed(name, 'a list', value);
    return value as unknown[];
  }

  private nested(name: string, value: unknown): Parameters {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.malformed(name, 'a structure', value);
    }
    return new Parameters(value as Record<string, unknown>, this.invalidCode, `${this.path}${name}.`);
  }

  private value(name: string): unknown {
    return own(this.values, name) ?? undefined;
  }

  private malformed(name: string, rule: string, value: unknown): AwsError {
    return new AwsError('SerializationException', this.sentence(name, rule, value));
  }

  private sentence(name: string, rule: string, value: unknown): string {
    const got = value === undefined ? 'nothing' : (JSON.stringify(value) ?? typeof value);
    return `'${this.path}${name}' must be ${rule}, got ${got.slice(0, 200)}`;
  }
}

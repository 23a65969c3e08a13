import { InvalidArgumentError } from 'commander';

/** What a person writes as a number: decimal digits. Number() would also read 0x10, 1e2 and blanks. */
export function readDecimal(text: string): number | undefined {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

/** Reads the value of a flag. @throws InvalidArgumentError that says the rule */
export function wholeNumberFrom(min: number, max: number) {
  return (text: string) => {
    const value = readDecimal(text);
    if (value !== undefined && Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`must be an integer from ${min} to ${max}, got '${text}'`);
  };
}

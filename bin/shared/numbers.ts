/** What a person writes as a number: decimal digits. Number() would also read 0x10, 1e2 and blanks. */
export function readDecimal(text: string): number | undefined {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

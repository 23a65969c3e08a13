import { createHash } from 'node:crypto';

/** For identifiers that the models have no use for, but which must not change from one response to the next. */
export function buildUuid(seed: string): string {
  const hex = createHash('sha256').update(seed).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

export function toNumber(seed: string): number {
  return createHash('sha256').update(seed).digest().readUInt32BE(0);
}

import type { KeyDigest } from './http-contract';

/** How the keys of two sides differ. */
export interface Differences {
  readonly count: number;
  /** The first of them: `'carts/17' is missing at the target`. */
  readonly first: readonly string[];
}

const MAX_NAMED = 5;
const MAX_KEY = 80;

/** Goes through the keys of both sides side by side. Both are in the order of the bytes of their keys. */
export class Comparison {
  private count = 0;
  private readonly first: string[] = [];

  /** @param names of the two sides, for the messages */
  constructor(private readonly names: readonly [string, string]) {}

  /**
   * @param left the next key of the first side, undefined where there is none any more
   * @returns which of the two has been dealt with
   */
  take(left: KeyDigest | undefined, right: KeyDigest | undefined): 'left' | 'right' | 'both' {
    const order = left && right ? compareKeys(left.key, right.key) : left ? -1 : 1;
    if (order < 0) this.add(left!, `is missing at the ${this.names[1]}`);
    else if (order > 0) this.add(right!, `is missing at the ${this.names[0]}`);
    else if (left!.digest !== right!.digest) this.add(left!, 'differs');
    return order < 0 ? 'left' : order > 0 ? 'right' : 'both';
  }

  get differences(): Differences {
    return { count: this.count, first: this.first };
  }

  private add({ key }: KeyDigest, how: string): void {
    this.count += 1;
    if (this.first.length < MAX_NAMED) this.first.push(`'${key.slice(0, MAX_KEY)}' ${how}`);
  }
}

/** As a problem of two sides that must hold the same. */
export function describeDifferences({ count, first }: Differences): string {
  const more = count > first.length ? `, and ${count - first.length} more` : '';
  return `both sides must hold the same, got ${count} that differ: ${first.join(', ')}${more}`;
}

/** By the bytes of UTF-8, which every language can sort by: JavaScript's own order is another one beyond U+FFFF. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const one = a.charCodeAt(at);
    const other = b.charCodeAt(at);
    if (one !== other) return rank(one) - rank(other);
  }
  return a.length - b.length;
}

/** Surrogates, which stand for U+10000 and beyond, come after U+E000 to U+FFFF. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

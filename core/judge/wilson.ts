/**
 * The score interval of a proportion, after E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
 * JASA 22 (1927).
 */

/** Of the normal distribution: 95 % two-sided, and one-sided. */
const [Z_BOTH, Z_ONE] = [1.96, 1.6448536];

/** The lower end of the 95 % interval. */
export function wilsonLowerBound(successes: number, trials: number): number {
  if (trials === 0) return successes > 0 ? 1 : 0;
  return wilson(successes, trials, -Z_BOTH);
}

/** The upper end of the one-sided 95 % interval. */
export function wilsonUpperBound(successes: number, trials: number): number {
  return trials === 0 ? 1 : Math.min(1, wilson(successes, trials, Z_ONE));
}

/** The end of the interval at so many standard deviations; of a negative number the lower one. */
export function wilsonBound(successes: number, trials: number, z: number): number {
  if (trials === 0) return z > 0 ? 1 : 0;
  return Math.min(1, Math.max(0, wilson(successes, trials, z)));
}

function wilson(successes: number, trials: number, z: number): number {
  const p = Math.min(1, successes / trials);
  const z2 = z * z;
  const centre = p + z2 / (2 * trials);
  const margin = z * Math.sqrt((p * (1 - p)) / trials + z2 / (4 * trials * trials));
  return (centre + margin) / (1 + z2 / trials);
}

/**
 * A seedable source of numbers in [0, 1) whose sequences for different seeds do not meet: an hour of traffic takes millions of numbers,
 * and thousands of hours are more than a generator with 32 bits of state has.
 *
 * @see C. Doty-Humphrey, PractRand: sfc32
 */
export function seededSequence(...seeds: readonly [number, number, number]): () => number {
  let [a, b, c] = seeds;
  let counter = 1;
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 4_294_967_296;
  };
  for (let round = 0; round < WARM_UP; round += 1) next();
  return next;
}

/** Seeds that differ in one bit have nothing in common after so many. */
const WARM_UP = 15;

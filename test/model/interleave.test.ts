import { interleave } from './interleave';

test('random interleavings of the real code break no promise, and settle', async () => {
  const seed = Number(process.env.DRAINSHIFT_TEST_SEED ?? Date.now() % 1_000_000);
  const { commit, abort } = await interleave(300, seed);
  expect(commit).toBeGreaterThan(0);
  expect(abort).toBeGreaterThan(0);
});

import { until } from '../../support/world';

/** Waits until a figure has not moved for a while: whatever fills buffers has filled them. */
export async function untilStill(figure: () => number): Promise<void> {
  let before = NaN;
  let still = 0;
  await until(() => {
    const now = figure();
    still = now === before ? still + 1 : 0;
    before = now;
    return still === 20;
  });
}

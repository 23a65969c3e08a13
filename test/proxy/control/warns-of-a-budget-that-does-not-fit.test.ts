import { startTestProxy } from '../support/proxy-world';
import { stopAll } from '../support/world';

afterEach(stopAll);

const warnings = ({ lines }: Awaited<ReturnType<typeof startTestProxy>>) =>
  lines.filter(({ level, msg }) => level >= 40 && msg.includes('shutdown')).map(({ msg }) => msg);

test('a shutdown that outlasts the time until the kill is warned of at the start', async () => {
  const proxy = await startTestProxy(1, { gracePeriodSeconds: 300, propagationSeconds: 5, stopTimeoutSeconds: 120 });
  expect(warnings(proxy)).toEqual([
    "The shutdown would be killed before its end: 'grace_period_seconds' must be at most 100 (stop_timeout_seconds 120 " +
      'less propagation_seconds 5 + graceful_shutdown_timeout_seconds 10 + a margin of 5), got 300',
  ]);
});

test('one that fits is not', async () => {
  const proxy = await startTestProxy(1, { gracePeriodSeconds: 100, propagationSeconds: 5, stopTimeoutSeconds: 120 });
  expect(warnings(proxy)).toEqual([]);
});

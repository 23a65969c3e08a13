import { endOrHang } from '../../../proxy/workers/end-or-hang';
import { FakeClock } from '../support/fake-clock';

const LONGEST_MS = 30_000;

function begin(ask: () => Promise<unknown>) {
  const clock = new FakeClock();
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  let result: boolean | undefined;
  const waiting = endOrHang(ended, ask, { longestMs: LONGEST_MS, clock }).then((value) => (result = value));
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    end,
    waiting,
    result: () => result,
    pass: async (ms: number) => {
      clock.advance(ms / 1000);
      await settle();
    },
  };
}

test('no one is asked before the time of what ends has passed', async () => {
  let asked = 0;
  const { end, waiting, pass } = begin(async () => (asked += 1));
  await pass(LONGEST_MS - 1);
  end();
  expect(await waiting).toBe(true);
  expect(asked).toBe(0);
});

test('what responds is waited for, however long it takes, and what does not is not', async () => {
  let responds = true;
  const { result, pass } = begin(() => (responds ? Promise.resolve() : Promise.reject(new Error('late'))));
  await pass(LONGEST_MS);
  for (let nth = 0; nth < 50; nth += 1) await pass(LONGEST_MS);
  expect(result()).toBeUndefined();
  responds = false;
  await pass(LONGEST_MS);
  expect(result()).toBe(false);
});

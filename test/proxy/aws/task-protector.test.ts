import { NO_CONNECTIONS } from '../../../core/proxy/connections';
import type { Snapshot, ProtectionOrder } from '../../../core/proxy/task-protection';
import { TaskProtector } from '../../../proxy/aws/task-protector';
import { FakeClock } from '../support/fake-clock';

function cloud() {
  const clock = new FakeClock();
  const lines: string[] = [];
  const orders: ProtectionOrder[] = [];
  const state = { websocket: 1, isServing: true, problem: undefined as Error | undefined, isSlow: false };
  const note = (line: string) => void lines.push(line);
  const snapshot = (): Snapshot => ({
    active: { ...NO_CONNECTIONS, websocket: state.websocket },
    isServing: state.isServing,
  });
  const protector = new TaskProtector({
    snapshot,
    order: async (order) => {
      orders.push(order);
      if (state.isSlow) await new Promise(() => undefined);
      if (state.problem) throw state.problem;
    },
    clock,
    log: { info: note, warn: note },
  });
  const turn = async (seconds: number) => {
    for (let second = 0; second < seconds; second += 1) {
      await new Promise(setImmediate);
      clock.advance(1);
    }
    await new Promise(setImmediate);
  };
  return { clock, lines, orders, state, protector, turn };
}

test('says when the protection begins and when it has ended, and nothing of what goes on', async () => {
  const { protector, state, turn, lines, orders } = cloud();
  protector.start();
  await turn(1500);
  state.isServing = false;
  await turn(10);
  expect(orders).toEqual(['protect', 'protect', 'protect', 'release']);
  expect(lines).toEqual(['The task is protected from scale-in', 'The task is protected from scale-in no more']);
});

test('a failure is said once, a different one again, and when it has ended', async () => {
  const { protector, state, turn, lines, orders } = cloud();
  state.problem = new Error('status 500');
  protector.start();
  await turn(600);
  state.problem = Object.assign(new TypeError('fetch failed'), { cause: new Error('connect ECONNREFUSED') });
  await turn(600);
  state.problem = undefined;
  await turn(120);
  expect(orders.length).toBeGreaterThan(10);
  expect(lines).toEqual([
    'The task is not protected from scale-in, tried again: status 500',
    'The task is not protected from scale-in, tried again: connect ECONNREFUSED',
    'The task is protected from scale-in',
  ]);
});

test('while one call is without a response there is no other one', async () => {
  const { protector, state, turn, orders } = cloud();
  state.isSlow = true;
  protector.start();
  await turn(100);
  expect(orders).toEqual(['protect']);
});

test('stopped, it looks no more', async () => {
  const { protector, turn, clock, lines } = cloud();
  protector.start();
  protector.stop();
  await turn(5);
  expect(clock.waiting).toBe(0);
  expect(lines).toEqual([]);
});

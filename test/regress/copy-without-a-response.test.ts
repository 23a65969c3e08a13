import { switchStep } from '../../lambda/steps/switch';
import { SwitchCloud } from '../lambda/steps/switch-cloud';

let cloud: SwitchCloud;
beforeEach(() => (cloud = new SwitchCloud()));
afterEach(() => cloud.end());

// Proxies that do not know the call were asked until the time of the copy had passed, and no one heard what they had said.
test('why no look at the copy brought anything is in the reason for which it is given up', async () => {
  for (const task of cloud.proxies) {
    task.called = () => Promise.resolve({ status: 200, body: '{"ok":true}' });
    task.transferred = () => Promise.reject(new Error('it must respond with 200, got 404: No such call'));
  }
  let run = cloud.switching({ attempts: 1, state: { http: { path: '/state' }, prepareSeconds: 30 } });
  for (let looks = 0; looks < 3; looks += 1) run = await switchStep(run, cloud.ports, cloud.nowMs);
  expect(run.verdict).toBe('wait');
  cloud.nowMs += 31_000;
  const after = await switchStep(run, cloud.ports, cloud.nowMs);
  expect(after.failure?.message).toContain(
    'it must be made within 30 s; the last look: it must respond with 200, got 404: No such call',
  );
});

test('without the store no copy is begun: an application would take it for one of an epoch that has ended', async () => {
  const orders: number[] = [];
  for (const task of cloud.proxies) {
    task.transferred = ({ epoch }) => {
      orders.push(epoch);
      return Promise.reject(new Error('no'));
    };
  }
  let reads = 0;
  const readRegime = cloud.ports.switches.readRegime.bind(cloud.ports.switches);
  Object.assign(cloud.ports.switches, {
    readRegime: () => ((reads += 1) === 2 ? Promise.reject(new Error('away')) : readRegime()),
  });
  const run = cloud.switching({ state: { http: { path: '/state' } } });
  const after = await switchStep(run, cloud.ports, cloud.nowMs);
  expect(after).toMatchObject({ verdict: 'wait', preparation: { starts: 0, why: 'away' } });
  expect(orders).toEqual([]);
});

import { switchStep } from '../../lambda/steps/switch';
import { SwitchCloud } from '../lambda/steps/switch-cloud';

let cloud: SwitchCloud;
beforeEach(() => (cloud = new SwitchCloud()));
afterEach(() => cloud.end());

// A report that says neither that both sides agree nor that they do not was taken for one of sides that agree.
test('a comparison that is under way at the end of its time is none: nothing is committed', async () => {
  const figures = { bytes: 1, resumed: 0, tookMs: 1 };
  for (const task of cloud.proxies) {
    task.called = ({ body = '{}' }) =>
      Promise.resolve({
        status: 200,
        body: JSON.stringify({ ok: true, epoch: (JSON.parse(body) as { epoch?: number }).epoch }),
      });
    task.transferred = ({ kind }) => Promise.resolve({ ...figures, state: kind === 'copy' ? 'done' : 'running' });
  }
  const after = await switchStep(cloud.switching({ state: { http: { path: '/state' } } }), cloud.ports, cloud.nowMs);
  expect(after.switches).toMatchObject([{ outcome: 'abort' }]);
  expect(after.switches?.[0]?.why).toContain('the comparison must end in its time, got one that is under way');
});

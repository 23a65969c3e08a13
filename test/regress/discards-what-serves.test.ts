import type { CutoverRun } from '../../core/cutover/run';
import { discardState } from '../../lambda/switch/discard-state';
import { SwitchCloud } from '../lambda/steps/switch-cloud';

let cloud: SwitchCloud;
beforeEach(() => (cloud = new SwitchCloud()));
afterEach(() => cloud.end());

// A function was killed behind the commit of a switch back, whose record was lost: the next one discarded what had been copied,
// which served by then.
test('what was copied to the side that serves is not discarded', async () => {
  const asked: string[] = [];
  for (const task of cloud.proxies) {
    task.called = ({ method, to }) => {
      asked.push(`${method} ${to}`);
      return Promise.resolve({ status: 200, body: '{"ok":true}' });
    };
  }
  const { regime } = await cloud.switches.readRegime();
  const run: CutoverRun = {
    ...cloud.switching({ state: { http: { path: '/state' } } }),
    preparation: {
      ...{ from: 'target', to: 'source', attempt: 2, startedAt: new Date(0).toISOString(), starts: 1, failures: 0 },
      ...{ unanswered: 0, isReady: true, bytes: 1, resumed: 0, tookMs: 1 },
    },
  };
  expect(regime.side).toBe('source');
  expect(await discardState(run, cloud.ports)).toBeUndefined();
  expect(asked).toEqual([]);
  const preparation = { ...run.preparation!, from: 'source', to: 'target' } as const;
  expect(await discardState({ ...run, preparation }, cloud.ports)).toBeUndefined();
  expect(asked).toEqual(['DELETE target']);
});

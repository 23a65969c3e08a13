import { SMOKE_VARIABLE } from '../../../core/cutover/cutover-config';
import { Side } from '../../../core/traffic/weights';
import { undrainSide } from '../../../lambda/steps/undrain';
import { MemoryCloud, report } from '../world';

afterEach(() => void delete process.env[SMOKE_VARIABLE]);

test.each([
  ['source', 'undrain s1'],
  ['target', 'undrain t1'],
] as const)('lets the %s serve again, and says that it does', async (side, call) => {
  const cloud = new MemoryCloud();
  expect(await undrainSide({ side }, cloud.ports)).toEqual({ state: { serves: true }, notUndrained: [] });
  expect(cloud.calls).toEqual([call]);
});

test('a side that does not serve the smoke requests of the deployed plan is said not to', async () => {
  process.env[SMOKE_VARIABLE] = JSON.stringify([{ path: '/shop', expectedStatus: 204 }]);
  const cloud = new MemoryCloud();
  const { state } = await undrainSide({ side: 'source' }, cloud.ports);
  expect(state).toMatchObject({ serves: false, reason: 'GET /shop on the source must return 204, got 200' });
});

test('a task that does not respond is named', async () => {
  const cloud = new MemoryCloud();
  cloud.tasks.source = [report('s1'), report('s2')];
  cloud.unreachable.add('s2');
  const { notUndrained } = await undrainSide({ side: 'source' }, cloud.ports);
  expect(notUndrained).toEqual(['s2 must respond, got ECONNREFUSED']);
});

test('another side is rejected', async () => {
  await expect(undrainSide({ side: 'left' as Side }, new MemoryCloud().ports)).rejects.toThrow(
    '\'side\' must be one of source, target, got "left"',
  );
});

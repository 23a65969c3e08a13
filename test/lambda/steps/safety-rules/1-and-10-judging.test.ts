import { CutoverRun } from '../../../../core/cutover/run';
import { bake } from '../../../../lambda/steps/bake';
import { approveWatched } from '../../../../lambda/steps/approve';
import { confirm } from '../../../../lambda/steps/confirm';
import { drain } from '../../../../lambda/steps/drain';
import { record } from '../../../../lambda/steps/record';
import { rollback } from '../../../../lambda/steps/rollback';
import { shift } from '../../../../lambda/steps/shift';
import { verify } from '../../../../lambda/steps/verify';
import { Act } from '../../../../lambda/shared/step';
import { MemoryCloud, report } from '../../world';
import { ON_SOURCE, half, shifted, confirmed } from './cutover';

type Step = Act<CutoverRun, CutoverRun>;
const PHASES: [string, (cloud: MemoryCloud) => Promise<CutoverRun>, Step][] = [
  ['confirm', (cloud) => shifted(cloud), confirm],
  ['bake', (cloud) => confirmed(cloud), bake],
  ['approval', async (cloud) => ({ ...(await confirmed(cloud, half)), verdict: 'approve' }), approveWatched],
  ['the next shift', (cloud) => confirmed(cloud, half), shift],
  ['drain', (cloud) => confirmed(cloud), drain],
  ['verify', (cloud) => confirmed(cloud), verify],
];

describe('1: both sides are judged at every poll, from the first shift to Complete', () => {
  describe.each(PHASES)('%s', (_, arrange, step) => {
    test.each<[string, (cloud: MemoryCloud) => void, string]>([
      ['has no healthy targets', (cloud) => (cloud.healthy.target = 0), 'TargetsUnhealthy'],
      ['fails its smoke request', (cloud) => (cloud.smoke.target = 502), 'SmokeFailed'],
      ['hangs', (cloud) => (cloud.smoke.target = 'no response within 5 s'), 'SmokeFailed'],
      [
        'responds with errors',
        (cloud) => (cloud.tasks.target = [report('t1', { total: 90, errors: 40 })]),
        'BreakerTripped',
      ],
      ['has an alarm', (cloud) => cloud.setAlarms('ALARM'), 'AlarmRaised'],
    ])('rolls back when the target %s', async (__, happen, code) => {
      const cloud = new MemoryCloud();
      const run = await arrange(cloud);
      happen(cloud);
      const looked = await step(run, cloud.ports, (cloud.nowMs += 5000));
      expect(looked).toMatchObject({ verdict: 'rollBack', failure: { code } });
      expect((await rollback(looked, cloud.ports, cloud.nowMs)).verdict).toBe('restored');
      expect(cloud.forward.groups).toEqual(ON_SOURCE);
    });
  });

  test('a source that fails with weight on it ends the cutover; one without weight only blocks a rollback', async () => {
    const cloud = new MemoryCloud();
    const run = await confirmed(cloud, half);
    cloud.smoke.source = 503;
    expect(await bake(run, cloud.ports, cloud.nowMs)).toMatchObject({ failure: { code: 'SmokeFailed' } });
    const other = new MemoryCloud();
    const onTarget = await confirmed(other);
    other.smoke.source = 503;
    other.healthy.source = 0;
    expect((await bake(onTarget, other.ports, other.nowMs)).verdict).toBe('wait');
    expect((await drain(onTarget, other.ports, other.nowMs)).verdict).toBe('drained');
  });

  test('the evidence of a dead target has what it did until it was found', async () => {
    const cloud = new MemoryCloud();
    const run = await confirmed(cloud);
    cloud.tasks.target = [report('t1', { total: 3000, errors: 3000 })];
    cloud.smoke.target = 502;
    const back = await rollback(await bake(run, cloud.ports, cloud.nowMs), cloud.ports, cloud.nowMs);
    expect(back.stages[0]).toMatchObject({ observed: { target: 3000 }, errors: { target: 3000 } });
  });
});

describe('10: rules that cannot catch our requests are not our business', () => {
  test.each<[string, object]>([
    ['another host', { hosts: ['blog.example.com'] }],
    ['a lower priority', { priority: 20 }],
  ])('%s: noted in the evidence, and it goes on', async (_, conditions) => {
    const cloud = new MemoryCloud();
    const run = await confirmed(cloud);
    cloud.others['rule/new'] = 'x';
    cloud.conditions['rule/new'] = conditions;
    const looked = await bake(run, cloud.ports, cloud.nowMs);
    expect(looked).toMatchObject({ verdict: 'wait', otherRulesChanged: ['rule/new'] });
    const again = await bake(looked, cloud.ports, cloud.nowMs);
    expect(again.timeline.filter(({ state }) => state === 'OtherRulesChanged')).toHaveLength(1);
    await record(again, cloud.ports, cloud.nowMs);
    expect(cloud.evidence[0]?.otherRulesChanged).toEqual(['rule/new']);
  });

  test('a rule that can catch them, and another condition or rewrite of our own rule, roll back', async () => {
    const cloud = new MemoryCloud();
    const run = await confirmed(cloud);
    cloud.ownDigest = 'another';
    expect(await bake(run, cloud.ports, cloud.nowMs)).toMatchObject({ failure: { code: 'RulesChanged' } });
    cloud.ownDigest = 'own';
    cloud.others['rule/new'] = 'x';
    expect(await drain(run, cloud.ports, cloud.nowMs)).toMatchObject({ failure: { code: 'RulesChanged' } });
  });
});

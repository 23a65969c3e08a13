import { rollBack } from '../../core/cutover/run';
import { switchStep } from '../../lambda/steps/switch';
import { switchBack } from '../../lambda/switch/switch-back';
import { MortalPorts } from '../lambda/steps/mortal-ports';
import { SwitchCloud } from '../lambda/steps/switch-cloud';
import { TwoHosts } from '../lambda/switch/two-hosts';

/**
 * A rollback that may lose writes had the stopped processes of the source go on, and was killed before its decision. The next call gave that
 * switch up, and left them at work beside the target, which served.
 */
test('processes that a killed rollback had go on are stopped again before anything else is tried', async () => {
  const cloud = new SwitchCloud();
  const hosts = new TwoHosts(() => cloud.ports.now());
  hosts.connect(cloud.proxies);
  cloud.hosts = hosts;
  const instance = (name: string) => ({ instanceId: `i-0000000${name}` });
  const state = {
    checkpoint: { documentName: 'Hosts', source: instance('1'), target: instance('2') },
    // A busy machine is no verdict.
    timeoutMs: { freeze: 5_000, transfer: 5_000, verify: 5_000 },
  };
  const plan = { state, pointOfNoReturn: 'acceptLoss', maxPauseMs: 20_000 };
  try {
    const run = await switchStep(cloud.switching(plan), cloud.ports, cloud.nowMs);
    const stopped = rollBack(run, 'Aborted', 'an operator asked');
    // They are at work when it asks for the decision.
    const mortal = new MortalPorts(cloud.ports, { counts: /decide/, at: 1, isDone: false });
    await Promise.race([switchBack(stopped, mortal.ports), mortal.killed]);
    expect(hosts.find('source').state).toBe('running');
    cloud.deployments.target = '2 deployments';
    await expect(switchBack(stopped, cloud.ports)).resolves.toMatchObject({ kind: 'stays', reason: 'unknown' });
    expect(hosts.calls.slice(-3)).toEqual(['resume source 2', 'resume target 2', 'discard source 2']);
    expect([hosts.find('source').state, hosts.find('target').state]).toEqual(['stopped', 'running']);
  } finally {
    cloud.end();
  }
});

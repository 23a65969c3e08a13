import { ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { ElbModel, Target, TargetGroup } from '../../../rehearsal/load-balancer/model/model';
import { EcsModel, EcsService, EcsTask } from '../../../rehearsal/tasks/model';
import { ServiceMetrics } from '../../../rehearsal/tasks/service-metrics';
import { until } from '../../support/until';

const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    const end = once(child, 'exit');
    // Its child, too.
    process.kill(-child.pid!, 'SIGKILL');
    await end;
  }
});

/** A process whose child works all the time, as a proxy's workers do. */
const BUSY = `require('node:child_process').spawn(process.execPath, ['-e', 'for (;;);']); setInterval(() => {}, 1000);`;

function service(name: string, pid?: number, cpu = '1024') {
  const group = { arn: `arn:targetgroup/${name}/1`, targets: new Map<string, Target>() } as unknown as TargetGroup;
  const loadBalancers = [{ targetGroupArn: group.arn, containerName: 'web', containerPort: 80 }];
  const definition = { content: { cpu, memory: '512' } };
  const spec = { arn: name, name, loadBalancers, taskDefinition: definition } as unknown as EcsService;
  const task = { arn: `task-${name}`, serviceArn: name, status: 'RUNNING', ip: '127.0.9.1', pid } as unknown as EcsTask;
  return { group, spec, task };
}

function measure(...services: readonly ReturnType<typeof service>[]) {
  const elb = new ElbModel();
  for (const { group } of services) elb.targetGroups.set(group.arn, group);
  const tasks = new Map(services.map(({ task }) => [task.arn, task]));
  return new ServiceMetrics({ tasks } as unknown as EcsModel, elb);
}

test('the CPU of a task is that of all its processes, by what its size allows', async () => {
  const child = spawn(process.execPath, ['-e', BUSY], { detached: true, stdio: 'ignore' });
  children.push(child);
  const [whole, half, gone] = [service('whole', child.pid), service('half', child.pid, '512'), service('gone')];
  const metrics = measure(whole, half, gone);
  const cpu = ({ spec }: typeof whole) => metrics.read(spec, { kind: 'cpu' });
  // Nothing to compare with yet.
  expect(cpu(whole)).toBeUndefined();
  metrics.endPeriod();
  await until(() => {
    // What is read once counts for the whole period.
    const value = cpu(whole) ?? 0;
    if (value > 1) return true;
    metrics.endPeriod();
    return false;
  });
  expect(cpu(half)! / cpu(whole)!).toBeCloseTo(2, 0);
  expect(cpu(gone)).toBeUndefined();
  expect(metrics.read(whole.spec, { kind: 'memory' })).toBeGreaterThan(1);
});

test('requests are counted by the minute and healthy target; connections are what is under way with a task', async () => {
  const { group, spec, task } = service('web');
  const metrics = measure({ group, spec, task });
  for (const [id, state] of [['127.0.9.1', 'healthy'] as const, ['127.0.9.2', 'draining'] as const]) {
    group.targets.set(`${id}:80`, { id, port: 80, state, outstanding: 7 });
  }
  group.requests = 1_000;
  metrics.endPeriod();
  const requests = () => metrics.read(spec, { kind: 'requests', targetGroup: 'targetgroup/web/1' });
  // A minute without requests has no value.
  expect(requests()).toBeUndefined();
  group.requests += 10;
  const [before, start] = [requests()!, performance.now()];
  expect(before).toBeGreaterThan(10);
  await until(() => performance.now() - start > 50);
  expect(requests()).toBeLessThan(before);
  expect(metrics.read(spec, { kind: 'connections' })).toBe(7);
  expect(metrics.read(spec, { kind: 'unknown', name: 'Orders' })).toBeUndefined();
  Object.assign(task, { status: 'STOPPED' });
  expect(metrics.read(spec, { kind: 'connections' })).toBeUndefined();
});

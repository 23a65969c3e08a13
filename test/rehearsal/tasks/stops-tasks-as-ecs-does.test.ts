import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { App, Duration, Stack } from 'aws-cdk-lib';
import {
  BasicTargetTrackingScalingPolicyProps,
  PredefinedMetric,
  ScalableTarget,
  ServiceNamespace,
} from 'aws-cdk-lib/aws-applicationautoscaling';
import { Template } from 'aws-cdk-lib/assertions';
import { ElbModel, TargetGroup } from '../../../rehearsal/load-balancer/model/model';
import { Targets } from '../../../rehearsal/load-balancer/health/targets';
import { Addresses } from '../../../rehearsal/tasks/addresses';
import { Autoscaler } from '../../../rehearsal/tasks/autoscaler';
import type { ServiceScaling } from '../../../rehearsal/tasks/model';
import type { TrackingPolicy } from '../../../rehearsal/tasks/target-tracking';
import { readTracking } from '../../../rehearsal/template/parts/scaling-policies';
import { Properties } from '../../../rehearsal/template/resources/properties';
import { ServiceSpec, TaskRunner } from '../../../rehearsal/tasks/runner';
import { TaskProcess } from '../../../rehearsal/tasks/task-process';
import { until } from '../../support/until';

const SERVER = `
const [host, port] = process.env.LISTEN.split(':');
const server = require('node:http').createServer((request, response) => response.end(process.env.SIDE));
server.listen(Number(port), host);
process.on('SIGTERM', () => { if (process.env.STUBBORN !== 'yes') process.exit(0); });
`;

let folder: string;
let runner: TaskRunner;
let registry: Targets;
let elb: ElbModel;
let failures: string[];
let processes: Set<number>;
let addresses: Addresses;
let said: string;

beforeAll(async () => {
  addresses = await Addresses.claim();
});
afterAll(() => addresses.release());

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drainshift-task-'));
  writeFileSync(join(folder, 'server.js'), SERVER);
  elb = new ElbModel();
  elb.targetGroups.set('group', {
    arn: 'group',
    attributes: new Map([['deregistration_delay.timeout_seconds', '0.2']]),
    targets: new Map(),
  } as unknown as TargetGroup);
  failures = [];
  processes = new Set();
  said = '';
  const log = new PassThrough();
  log.on('data', (bytes: Buffer) => (said += bytes.toString()));
  registry = new Targets(elb, () => undefined);
  runner = new TaskRunner({
    elb,
    targets: registry,
    addresses,
    processes: {
      started: (pid) => processes.add(pid),
      ended: (pid) => processes.delete(pid),
      log,
    },
    failed: (service, reason) => failures.push(`${service.name}: ${reason}`),
  });
});
afterEach(async () => {
  await runner.stop();
  registry.stop();
  rmSync(folder, { recursive: true, force: true });
});

function service(
  over: Partial<ServiceSpec['container']> = {},
  desiredCount = 1,
  limits: Pick<ServiceSpec, 'healthCheckGracePeriodSeconds' | 'maximumPercent' | 'minimumHealthyPercent'> = {},
): ServiceSpec {
  return {
    ...limits,
    arn: 'service',
    name: 'web',
    clusterArn: 'arn:aws:ecs:us-east-1:1:cluster/c',
    taskDefinitionArn: 'definition',
    launchType: 'FARGATE',
    loadBalancers: [{ targetGroupArn: 'group', containerName: 'web', containerPort: 18_443 }],
    createdAt: new Date(),
    desiredCount,
    container: {
      name: 'web',
      image: 'image',
      folder,
      command: ['node', 'server.js'],
      environment: { LISTEN: '0.0.0.0:18443', SIDE: 'source' },
      role: 'TaskRole',
      port: 18_443,
      stopTimeoutSeconds: 5,
      ...over,
    },
  };
}
/** Waits for so many tasks that run; where they do not come, says what became of them. */
async function running(count: number): Promise<void> {
  try {
    await until(
      () => live().length === count,
      () => failures[0],
    );
  } catch (error) {
    const tasks = [...runner.tasks.values()].map(({ ip, status, pid, stoppedReason }) =>
      [ip, status, pid, stoppedReason, findState(pid)].join(' '),
    );
    throw new Error(`${(error as Error).message}; tasks: ${tasks.join(', ')}; they said: ${said}`, { cause: error });
  }
}

/** Of its process: running, asleep, stopped by a signal. */
function findState(pid: number | undefined): string | undefined {
  try {
    return /^State:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

const live = () => [...runner.tasks.values()].filter(({ status }) => status === 'RUNNING');
const targets = () => [...elb.targetGroup('group').targets.values()];

test('every task is a process on an address of its own, registered once it responds', async () => {
  runner.addService(service({}, 2));
  await running(2);
  expect(new Set(live().map(({ ip }) => ip)).size).toBe(2);
  expect(live().every(({ ip }) => /^127\.0\.\d+\.\d+$/.test(ip))).toBe(true);
  expect(
    targets()
      .map(({ id }) => id)
      .sort(),
  ).toEqual(
    live()
      .map(({ ip }) => ip)
      .sort(),
  );
  const [task] = live();
  expect(await (await fetch(`http://${task?.ip}:18443/`)).text()).toBe('source');
});

test('scale-in deregisters, waits out the delay, then signals', async () => {
  runner.addService(service());
  await running(1);
  const [task] = live() as [TaskProcess];
  runner.setDesiredCount('service', 0);
  expect(targets()[0]?.state).toBe('draining');
  expect(task.status).toBe('DEACTIVATING');
  // The process is alive for as long as the target drains.
  expect(() => process.kill(task.pid ?? 0, 0)).not.toThrow();
  await until(() => task.status === 'STOPPED');
  expect(task.exitCode).toBe(0);
  expect(targets()).toEqual([]);
});

test('a forced deployment starts new tasks, and the old ones go when these are healthy', async () => {
  runner.addService(service({}, 2));
  await running(2);
  const old = live();
  runner.forceNewDeployment('service');
  await running(4);
  // They are registered, but no check found them healthy.
  expect(old.map(({ status }) => status)).toEqual(['RUNNING', 'RUNNING']);
  const fresh = live().filter((task) => !old.includes(task));
  for (const target of targets()) if (fresh.some(({ ip }) => ip === target.id)) target.state = 'healthy';
  await until(() => old.every(({ status }) => status === 'STOPPED'));
  expect(live()).toEqual(fresh);
  expect(fresh.map(({ deployment }) => deployment)).toEqual([1, 1]);
});

test('StopTask signals at once, and the service replaces the task', async () => {
  runner.addService(service());
  await running(1);
  const [task] = live() as [TaskProcess];
  runner.stopTask(task.arn, 'by hand');
  expect(task.status).toBe('STOPPING');
  await until(() => task.status === 'STOPPED' && live().length === 1);
  expect(task.stoppedReason).toBe('by hand');
  expect(live()[0]?.arn).not.toBe(task.arn);
});

test('a process that does not respect SIGTERM is killed after stopTimeout', async () => {
  runner.addService(service({ environment: { LISTEN: '0.0.0.0:18443', STUBBORN: 'yes' }, stopTimeoutSeconds: 0.2 }));
  await running(1);
  const [task] = live() as [TaskProcess];
  runner.stopTask(task.arn, 'by hand');
  await until(() => task.status === 'STOPPED');
  expect(task.exitCode).toBeUndefined();
});

test('a task that dies is taken out of the group and replaced', async () => {
  // Longer than a busy machine takes to start the next one.
  elb.targetGroup('group').attributes.set('deregistration_delay.timeout_seconds', '60');
  runner.addService(service());
  await running(1);
  const [task] = live() as [TaskProcess];
  process.kill(task.pid ?? 0, 'SIGKILL');
  await until(() => live().length === 1 && live()[0] !== task);
  expect(targets().find(({ id }) => id === task.ip)?.state).toBe('draining');
});

test('a service whose tasks never come up is given up, with the reason', async () => {
  runner.addService(service({ command: ['node', 'missing.js'] }));
  await until(() => failures.length === 1);
  expect(failures[0]).toMatch(/^web: Essential container in task exited \(status 1\)/);
});

test('one that ends as soon as it serves is tried again later each time, and given up', async () => {
  const path = join(folder, 'crash.js');
  writeFileSync(path, CRASH);
  runner.addService(service({ command: ['node', path] }));
  await until(() => failures.length === 1);
  expect(failures[0]).toMatch(/^web: Essential container in task exited \(status 7\)/);
  const tasks = [...runner.tasks.values()];
  expect(tasks.every(({ startedAt }) => startedAt !== undefined)).toBe(true);
  const pauses = tasks
    .slice(1)
    .map(({ createdAt }, index) => createdAt.getTime() - (tasks[index]?.stoppedAt?.getTime() ?? 0));
  expect(pauses).toHaveLength(3);
  expect(pauses[1]).toBeGreaterThanOrEqual(200);
  expect(pauses[2]).toBeGreaterThan(pauses[1] ?? Infinity);
});

/** The load balancer's opinion of the task. */
function found(task: TaskProcess | undefined, state: 'healthy' | 'unhealthy'): void {
  const target = targets().find(({ id }) => id === task?.ip);
  if (!target) throw new Error(`task ${task?.ip} must be a target, got none`);
  target.state = state;
}

const CRASH = `${SERVER}\nserver.on('connection', () => setTimeout(() => process.exit(7), 20));`;

test('one that was healthy once is tried again, later each time, and never given up', async () => {
  runner.addService(service());
  await running(1);
  const [first] = live() as [TaskProcess];
  found(first, 'healthy');
  writeFileSync(join(folder, 'server.js'), CRASH);
  process.kill(first.pid ?? 0, 'SIGKILL');
  await until(() => [...runner.tasks.values()].filter(({ status }) => status === 'STOPPED').length === 5);
  expect(failures).toEqual([]);
  // A request for another count does not start them sooner, nor does it stop the tries.
  runner.setDesiredCount('service', 2);
  expect(live()).toEqual([]);
  writeFileSync(join(folder, 'server.js'), SERVER);
  await running(2);
});

test('a crash loop begins with the tasks that run, and goes on with each that follows', async () => {
  runner.addService(service());
  await running(1);
  found(live()[0], 'healthy');
  runner.crashLoop('service');
  await until(() => [...runner.tasks.values()].filter(({ status }) => status === 'STOPPED').length === 2);
  const reasons = [...runner.tasks.values()].flatMap(({ stoppedReason }) => stoppedReason ?? []);
  expect(new Set(reasons)).toEqual(new Set(['Essential container in task exited (signal SIGKILL)']));
});

test('one that fails the health check is replaced: first a new one, then it drains, with the reason that ECS gives', async () => {
  runner.addService(service());
  await running(1);
  const [task] = live() as [TaskProcess];
  found(task, 'unhealthy');
  await running(2);
  expect(task).toMatchObject({ status: 'RUNNING', desiredStatus: 'RUNNING' });
  found(live()[1], 'healthy');
  await until(() => task.status === 'DEACTIVATING');
  expect(targets().find(({ id }) => id === task.ip)?.state).toBe('draining');
  await until(() => task.status === 'STOPPED');
  expect(task).toMatchObject({
    exitCode: 0,
    stoppedReason: 'Task failed ELB health checks in (target-group group)',
  });
  expect(live()).toHaveLength(1);
});

test('one that hangs is killed after stopTimeout; without room it goes before its replacement comes', async () => {
  const limits = { maximumPercent: 100, minimumHealthyPercent: 0 };
  runner.addService(service({ stopTimeoutSeconds: 0.2 }, 1, limits));
  await running(1);
  const [task] = live() as [TaskProcess];
  process.kill(task.pid ?? 0, 'SIGSTOP');
  found(task, 'unhealthy');
  await until(() => task.status === 'STOPPED');
  expect(task.exitCode).toBeUndefined();
  await running(1);
  const replacement = live()[0];
  expect(replacement?.createdAt.getTime()).toBeGreaterThanOrEqual(task.startedAt?.getTime() ?? Infinity);
});

test('in the grace period after its start a task stays, whatever the load balancer finds', async () => {
  runner.addService(service({}, 1, { healthCheckGracePeriodSeconds: 1 }));
  await running(1);
  const [task] = live() as [TaskProcess];
  found(task, 'unhealthy');
  await until(() => runner.tasks.size === 2);
  const replacement = [...runner.tasks.values()][1];
  expect((replacement?.createdAt.getTime() ?? 0) - (task.startedAt?.getTime() ?? 0)).toBeGreaterThanOrEqual(1_000);
});

test("what runs is reported as it starts and as it ends, so that no one signals an id that is someone else's by then", async () => {
  runner.addService(service({}, 2));
  await running(2);
  expect([...processes].sort()).toEqual(
    live()
      .map(({ pid }) => pid)
      .sort(),
  );
  runner.setDesiredCount('service', 0);
  await until(() => processes.size === 0);
  expect(live()).toEqual([]);
});

test('connections over the target of a policy bring tasks, and when they leave the newest drain and go', async () => {
  const policy = {
    ...{
      name: 'Connections',
      arn: 'policy',
      metric: { kind: 'connections' } as const,
      target: 10,
      disableScaleIn: false,
    },
    ...{ scaleOutCooldownSeconds: 60, scaleInCooldownSeconds: 0, createdAt: new Date(), configuration: {} },
  } as const;
  const scaling: ServiceScaling = { min: 1, max: 3, suspended: {}, policies: [policy] };
  const scaled = { ...service(), scaling };
  runner.addService(scaled);
  await running(1);
  const [first] = live() as [TaskProcess];
  targets()[0]!.outstanding = 25;
  const autoscaler = new Autoscaler({ ecs: runner, elb, periodMs: 20 });
  try {
    await running(3);
    expect(scaling.activities).toMatchObject([
      {
        from: 1,
        to: 3,
        cause: 'monitor alarm TargetTracking-web-AlarmHigh in state ALARM triggered policy Connections',
      },
    ]);
    // What one of three has is under the target on average, and all three are still asked for.
    targets()[0]!.outstanding = 0;
    await until(() => scaled.desiredCount === 1 && live().length === 1);
    const gone = [...runner.tasks.values()].filter((task) => task !== first);
    await until(() => gone.every(({ status }) => status === 'STOPPED'));
    expect(gone.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(live()).toEqual([first]);
    expect(scaling.activities?.[0]).toMatchObject({ to: 1 });
  } finally {
    autoscaler.stop();
  }
});

const GROUP = 'targetgroup/web/2';
/** Has work for most of the time, as long as there is a file of this name. */
const WORKER = `${SERVER}
const { existsSync } = require('node:fs');
setInterval(() => { for (const endMs = Date.now() + 16; existsSync('busy') && Date.now() < endMs; ); }, 20);
`;

/** The policies of a service, as the CDK synthesizes them and the rehearsal reads them. */
function synthesizePolicies(...tracked: readonly BasicTargetTrackingScalingPolicyProps[]): TrackingPolicy[] {
  const stack = new Stack(new App(), 'Scaled');
  const target = new ScalableTarget(stack, 'Count', {
    ...{ serviceNamespace: ServiceNamespace.ECS, resourceId: 'service/c/web', minCapacity: 1, maxCapacity: 3 },
    scalableDimension: 'ecs:service:DesiredCount',
  });
  tracked.forEach((props, index) => target.scaleToTrackMetric(`Policy${index}`, props));
  const found = Template.fromStack(stack).findResources('AWS::ApplicationAutoScaling::ScalingPolicy');
  return Object.entries(found).map(([id, { Properties: properties }]) => {
    const { TargetTrackingScalingPolicyConfiguration: configuration } = properties as Record<string, object>;
    return readTracking(id, id, new Properties(id, configuration as Record<string, unknown>));
  });
}

test('policies of a synthesized template add tasks by memory, requests and CPU, and take them away when all agree', async () => {
  const group = { ...elb.targetGroup('group'), arn: `arn:aws:elasticloadbalancing:us-east-1:1:${GROUP}`, requests: 0 };
  elb.targetGroups.set('group', group);
  const cooldowns = { scaleOutCooldown: Duration.seconds(60), scaleInCooldown: Duration.seconds(0) };
  writeFileSync(join(folder, 'server.js'), WORKER);
  const [requests, memory, cpu] = synthesizePolicies(
    {
      ...{ predefinedMetric: PredefinedMetric.ALB_REQUEST_COUNT_PER_TARGET, targetValue: 10_000, ...cooldowns },
      resourceLabel: `app/web/1/${GROUP}`,
    },
    {
      ...{ predefinedMetric: PredefinedMetric.ECS_SERVICE_AVERAGE_MEMORY_UTILIZATION, targetValue: 0.5, ...cooldowns },
      disableScaleIn: true,
    },
    { predefinedMetric: PredefinedMetric.ECS_SERVICE_AVERAGE_CPU_UTILIZATION, targetValue: 20, ...cooldowns },
  ) as [TrackingPolicy, TrackingPolicy, TrackingPolicy];
  const scaling: ServiceScaling = { min: 1, max: 3, suspended: {}, policies: [memory] };
  const scaled = { ...service(), scaling };
  runner.addService(scaled);
  await running(1);
  const autoscaler = new Autoscaler({ ecs: runner, elb, periodMs: 20 });
  // Some requests all the time: without any the metric has no data, and holds a scale-in up.
  let perLook = 1;
  const traffic = setInterval(() => {
    group.requests += perLook;
    for (const each of targets()) each.state = 'healthy';
  }, 5);
  try {
    // Its process has more than half a percent of two gigabytes.
    await running(3);
    expect(scaling.activities?.[0]).toMatchObject({
      to: 3,
      cause: expect.stringMatching(/AlarmHigh.*Policy1/) as string,
    });
    scaling.policies = [{ ...requests, target: 1_000_000 }];
    await until(() => scaled.desiredCount === 1 && live().length === 1);
    expect(scaling.activities?.[0]?.cause).toMatch(/AlarmLow.*Policy0/);
    scaling.policies = [requests];
    perLook = 100;
    await running(3);
    expect(scaling.activities?.[0]).toMatchObject({
      to: 3,
      cause: expect.stringMatching(/AlarmHigh.*Policy0/) as string,
    });
    scaling.policies = [cpu];
    await until(() => scaled.desiredCount === 1 && live().length === 1);
    writeFileSync(join(folder, 'busy'), '');
    await running(3);
    expect(scaling.activities?.[0]?.cause).toMatch(/AlarmHigh.*Policy2/);
  } finally {
    clearInterval(traffic);
    autoscaler.stop();
  }
});

test('the end of the world waits for every process', async () => {
  runner.addService(service({ environment: { LISTEN: '0.0.0.0:18443', STUBBORN: 'yes' } }, 2));
  await running(2);
  const pids = live().map(({ pid }) => pid ?? 0);
  await runner.stop();
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
});

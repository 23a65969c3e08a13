// The matrix: what is broken, in which phase of a cutover, and how it must end.
import type { RowSetup, Side } from './row-setup';
import { healthy, proxies, serviceArn } from './row-setup';

/** Named after what the cutover does then; the state at whose first entry the fault begins. */
export const PHASES = {
  confirm: { state: 'Confirm', stage: 1 },
  bake: { state: 'WaitToBake', stage: 1 },
  'last-bake': { state: 'WaitToBake', stage: 2 },
  drain: { state: 'WaitToDrain', stage: 2 },
  verify: { state: 'Verify', stage: 2 },
  complete: { state: 'Complete', stage: 2 },
} as const;
export type Phase = keyof typeof PHASES;

export interface Fault {
  readonly name: string;
  readonly phases: readonly Phase[];
  /** Before the cutover starts. */
  readonly prepare?: (row: RowSetup) => Promise<void>;
  /** What happens at the phase. What it returns ends it again, when the cutover has ended or after `seconds`. */
  readonly inject: (row: RowSetup) => void | (() => void);
  readonly seconds?: number;
  /** Whether clients are harmed by the fault itself, until the traffic has left it. */
  readonly harms: boolean;
  /** Whether it ends WebSockets of a side, whose requests others respond to. */
  readonly dropsSockets?: boolean;
  readonly ends: Ending;
}

export interface Ending {
  readonly outcome: 'completed' | 'rolled-back' | 'failed' | 'none';
  /** By phase where it differs. */
  readonly weights: string;
  readonly lock: 'free' | 'kept';
  /** At most so many seconds from the fault to weights that read back. */
  readonly restoredWithin?: number;
}

const BACK: Ending = { outcome: 'rolled-back', weights: '100/0', lock: 'free', restoredWithin: 10 };
const DONE: Ending = { outcome: 'completed', weights: '0/100', lock: 'free' };
const JUDGED: readonly Phase[] = ['confirm', 'bake', 'last-bake', 'drain', 'verify'];
const SERVICES = ['s3', 'ecs', 'secretsmanager', 'cloudwatch'] as const;
const OPERATOR = { spares: ['OPERATOR'] };

const killBackend = (side: Side) => (row: RowSetup) => void row.backends[side].kill('SIGKILL');
const freezeBackend = (side: Side) => (row: RowSetup) => void row.backends[side].kill('SIGSTOP');

function signalProxies(row: RowSetup, side: Side, signal: NodeJS.Signals, count = Infinity): void {
  const pids = proxies(row, side).flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  for (const pid of pids.slice(0, count)) process.kill(pid, signal);
}

async function twoProxies(row: RowSetup, side: Side): Promise<void> {
  row.cloud.tasks.setDesiredCount(serviceArn(row, side), 2);
  while (proxies(row, side).length < 2) await new Promise((next) => setTimeout(next, 50));
  await healthy(row.cloud, 1);
}

/** A person's request to stop, as the runbook says it. */
function abort({ cloud }: RowSetup): void {
  for (const { name } of cloud.states.executions.values()) {
    cloud.objects.put(cloud.model.config.storeBucket, `abort/${name}.json`, { body: Buffer.from('{}') });
  }
}

function addRule({ cloud }: RowSetup, host: string, priority: number): void {
  const { weightedListenerArn, targetGroupArns } = cloud.model.config;
  void elb(cloud.endpoint.url, {
    Action: 'CreateRule',
    ListenerArn: weightedListenerArn,
    Priority: String(priority),
    'Conditions.member.1.Field': 'host-header',
    'Conditions.member.1.HostHeaderConfig.Values.member.1': host,
    'Actions.member.1.Type': 'forward',
    'Actions.member.1.TargetGroupArn': targetGroupArns.source,
  });
}

async function elb(url: string, body: Record<string, string>): Promise<void> {
  const credential = 'Credential=OPERATOR/20260101/eu-central-1/elasticloadbalancing/aws4_request';
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `AWS4-HMAC-SHA256 ${credential}`,
    },
    body: new URLSearchParams({ ...body, Version: '2015-12-01' }),
  });
  if (!response.ok) throw new Error(`${body.Action} must succeed, got ${response.status} ${await response.text()}`);
}

/** The source is taken away, and then an operator aborts the cutover. */
function withoutSource(row: RowSetup): void {
  row.cloud.tasks.setDesiredCount(serviceArn(row, 'source'), 0);
  abort(row);
}

export const FAULTS: readonly Fault[] = [
  { name: 'target-killed', phases: JUDGED, inject: killBackend('target'), harms: true, ends: BACK },
  {
    name: 'target-frozen',
    phases: JUDGED,
    inject: freezeBackend('target'),
    harms: true,
    ends: { ...BACK, restoredWithin: 16 },
  },
  {
    name: 'target-proxies-killed',
    phases: ['bake', 'last-bake'],
    inject: (row) => signalProxies(row, 'target', 'SIGKILL'),
    harms: true,
    ends: BACK,
  },
  {
    name: 'target-proxies-crash-loop',
    phases: ['confirm', 'bake', 'last-bake'],
    inject: (row) => {
      signalProxies(row, 'target', 'SIGKILL');
      const again = setInterval(() => signalProxies(row, 'target', 'SIGKILL'), 300);
      return () => clearInterval(again);
    },
    harms: true,
    ends: BACK,
  },
  {
    name: 'target-proxy-hung-and-target-killed',
    phases: ['bake'],
    prepare: (row) => twoProxies(row, 'target'),
    inject: (row) => {
      signalProxies(row, 'target', 'SIGSTOP', 1);
      row.backends.target.kill('SIGKILL');
    },
    harms: true,
    ends: BACK,
  },
  {
    name: 'source-dead-and-abort',
    phases: ['last-bake', 'drain'],
    inject: (row) => {
      row.backends.source.kill('SIGKILL');
      abort(row);
    },
    harms: false,
    dropsSockets: true,
    ends: { outcome: 'failed', weights: '0/100', lock: 'kept' },
  },
  {
    name: 'source-without-tasks-and-abort',
    phases: ['last-bake'],
    inject: withoutSource,
    harms: false,
    dropsSockets: true,
    ends: { outcome: 'failed', weights: '0/100', lock: 'kept' },
  },
  {
    name: 'both-dead',
    phases: ['bake'],
    inject: (row) => {
      row.backends.source.kill('SIGKILL');
      row.backends.target.kill('SIGKILL');
    },
    seconds: 8,
    harms: true,
    ends: { outcome: 'failed', weights: '50/50', lock: 'kept' },
  },
  ...SERVICES.flatMap((service): Fault[] => [
    {
      name: `${service}-503-and-target-killed`,
      phases: ['bake', 'drain'],
      inject: (row) => {
        const clear = row.cloud.faults.set({ service, ...OPERATOR }, { kind: 'status', status: 503 });
        row.backends.target.kill('SIGKILL');
        return clear;
      },
      seconds: 20,
      harms: true,
      ends: BACK,
    },
    {
      name: `${service}-hangs-and-target-killed`,
      phases: ['bake'],
      inject: (row) => {
        const clear = row.cloud.faults.set({ service, ...OPERATOR }, { kind: 'hang' });
        row.backends.target.kill('SIGKILL');
        return clear;
      },
      seconds: 20,
      harms: true,
      // What a store that is away costs; the others are asked at every poll, and waited for longer.
      ends: { ...BACK, restoredWithin: service === 's3' ? 10 : 14 },
    },
  ]),
  {
    name: 's3-503',
    phases: ['bake', 'drain', 'verify', 'complete'],
    inject: (row) => row.cloud.faults.set({ service: 's3', ...OPERATOR }, { kind: 'status', status: 503 }),
    seconds: 8,
    harms: false,
    ends: DONE,
  },
  {
    name: 's3-409',
    phases: ['confirm', 'last-bake', 'complete'],
    inject: (row) =>
      void row.cloud.faults.set({ service: 's3', action: 'PutObject' }, { kind: 'status', status: 409 }, { times: 3 }),
    harms: false,
    ends: DONE,
  },
  {
    name: 'source-task-frozen-in-scale-in',
    phases: ['drain'],
    prepare: (row) => twoProxies(row, 'source'),
    inject: (row) => {
      const [, leaving] = proxies(row, 'source');
      row.cloud.tasks.setDesiredCount(serviceArn(row, 'source'), 1);
      const pid = leaving?.pid;
      if (pid === undefined) throw new Error('a second source proxy must run, got none');
      process.kill(pid, 'SIGSTOP');
      // As ECS does when stopTimeout has passed.
      return () => void process.kill(pid, 'SIGKILL');
    },
    seconds: 5,
    harms: true,
    ends: DONE,
  },
  {
    name: 'source-proxies-killed',
    phases: ['drain'],
    inject: (row) => signalProxies(row, 'source', 'SIGKILL'),
    harms: true,
    ends: DONE,
  },
  {
    name: 'stopped-by-hand',
    phases: ['bake', 'drain'],
    inject: ({ cloud }) => {
      for (const { arn, status } of cloud.states.executions.values()) {
        if (status === 'RUNNING') cloud.states.stop(arn, '', '');
      }
    },
    harms: false,
    ends: { outcome: 'rolled-back', weights: '100/0', lock: 'free' },
  },
  {
    name: 'rule-of-lower-priority',
    phases: ['bake'],
    inject: (row) => addRule(row, 'blog.example.com', 40_000),
    harms: false,
    ends: DONE,
  },
  {
    name: 'rule-that-catches-our-requests',
    phases: ['bake'],
    inject: (row) => addRule(row, row.cloud.model.config.domainName, 1),
    harms: false,
    ends: BACK,
  },
];

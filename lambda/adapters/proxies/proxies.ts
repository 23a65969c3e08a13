import { DescribeTasksCommand, ECSClient, Task, paginateListTasks } from '@aws-sdk/client-ecs';
import { ADMIN_PATHS, LedgerReport, LookReport } from '../../../core/proxy/admin-api';
import type { WindowOrder } from '../../../core/proxy/window';
import { own } from '../../../core/validation/own';
import type { BackendCallReport } from '../../../core/proxy/backend-call';
import type { TransferReport } from '../../../core/proxy/state-transfer';
import type { ProbeReport } from '../../../core/proxy/probe';
import { SIDES, Side } from '../../../core/traffic/weights';
import { CutoverConfig } from '../../../core/cutover/cutover-config';
import { TaskReading } from '../../../core/judge/tally';
import { CALLS_AT_ONCE, pooled } from '../../contract/concurrently';
import type { ProxiesPort } from '../../contract/ports';
import type { SwitchTask, TaskSession } from '../../contract/switch-ports';
import { AdminConnection, KeysRejected, callAdmin } from './admin-client';
import { CLIENT_CONFIG } from '../client/client-config';
import { limited } from '../client/limited';
import { cachedKeys } from '../client/secret';

/** DescribeTasks takes at most 100 tasks. */
const DESCRIBE_AT_ONCE = 100;
const SECRET_CACHE_MS = 60_000;
/** Where a task knows another key. All tasks of a look share one question. */
const FRESH_SECRET_MS = 5_000;
const SECRET_MS = 3_000;
/** ECS responds within a second; a rollback does not wait for it. */
const ECS_MS = 4_000;
/** A task that has not responded by then is unknown at this poll. */
const ADMIN_MS = 3_000;
/** For the way to a task and back, beside what it is asked to do. */
const CALL_MARGIN_MS = 500;
/** A task that rejects a call does it within this time. One that hangs is not asked again at the same look. */
const QUICK_MS = 1_000;
/** After it no further task is asked: a step has 30 s. */
const ASK_MS = 8_000;
/** The proxy's name among the containers of a task: `lib/proxy/proxy-service.ts`. */
const PROXY_CONTAINER = 'proxy';
/** The stages of a task's life in which its container runs. */
const WITH_PROCESS = ['RUNNING', 'DEACTIVATING', 'STOPPING'];
/** And those before them: nothing to ask yet. */
const NOT_STARTED = ['PROVISIONING', 'PENDING', 'ACTIVATING'];

/** For a switch, which must know of every process: ECS may say PENDING of a container that has just started. */
const NO_CONTAINER = ['PROVISIONING'];
/** Of so many tasks each keeps its connection: a function has 1,024 file descriptors, and others need some too. */
export const MAX_KEPT = 600;

/** The proxy tasks of both sides: found through ECS, asked on their admin ports. */
export function proxiesPort(config: CutoverConfig): ProxiesPort {
  const ecs = limited('ECS', new ECSClient(CLIENT_CONFIG), ECS_MS);
  const readKeys = cachedKeys(config.adminSecretArn, { cacheMs: SECRET_CACHE_MS, limitMs: SECRET_MS });
  const call = async (
    address: string,
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
    connection?: AdminConnection,
    timeoutMs = ADMIN_MS,
  ) => {
    const made = { address, port: config.adminPort, method, path, body, timeoutMs, connection };
    const known = await readKeys();
    try {
      return await callAdmin({ ...made, keys: known });
    } catch (error) {
      if (!(error instanceof KeysRejected)) throw error;
      // A task that was started since a rotation knows a key that may not have been read here yet.
      const keys = (await readKeys(FRESH_SECRET_MS)).filter((key) => !known.includes(key));
      if (keys.length === 0) throw error;
      return await callAdmin({ ...made, keys });
    }
  };
  const askWindow = windowAsker(call);
  const read = async (task: Task, untilMs: number, order: WindowOrder | undefined): Promise<TaskReading> => {
    const life = readLife(task);
    if (life === 'stopped') return { id: findId(task), address: '', life, ...chooseExitCode(task) };
    const reading = { id: findId(task), address: findAddress(task) ?? '', life, ...chooseStart(task) };
    if (reading.address === '') return { ...reading, problem: `task '${task.taskArn}' has no private IPv4 address` };
    if (performance.now() > untilMs) return { ...reading, problem: `not asked within ${ASK_MS / 1000} s` };
    try {
      if (!order)
        return { ...reading, report: (await call(reading.address, 'GET', ADMIN_PATHS.drainStatus)) as LedgerReport };
      const { window, ...report } = await askWindow(reading.address, order);
      return { ...reading, report, window };
    } catch (error) {
      return { ...reading, problem: error instanceof Error ? error.message : String(error) };
    }
  };
  return {
    addresses: async (side) =>
      (await listTasks(ecs, config, side)).filter(isStaying).flatMap((task) => findAddress(task) ?? []),
    tasks: async (side, window, after = {}) => {
      const tasks = await listTasks(ecs, config, side);
      const untilMs = performance.now() + ASK_MS;
      const orderFor = (task: Task) => window && { ...window, after: own(after, findId(task)) ?? window.after };
      return pooled(tasks, CALLS_AT_ONCE, (task) => read(task, untilMs, orderFor(task)));
    },
    drain: async (address, order) => void (await call(address, 'POST', ADMIN_PATHS.drain, order)),
    open: async () => {
      const sides = await Promise.all(
        SIDES.map(async (home) => (await listTasks(ecs, config, home, NO_CONTAINER)).map((task) => ({ home, task }))),
      );
      const tasks = sides.flat();
      const isKept = tasks.length <= MAX_KEPT;
      return tasks.map(({ home, task }) => openTask({ home, task, isKept }, call));
    },
    undrain: async (address, order) => void (await call(address, 'POST', ADMIN_PATHS.undrain, order)),
  };
}

/**
 * The tasks of a side that have or had a process. Those that ECS is stopping are among them: they are listed under the
 * desired status STOPPED, and their connections live on through the deregistration delay and the stop timeout.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
 */
async function listTasks(
  ecs: ECSClient,
  config: CutoverConfig,
  side: Side,
  leftOut: readonly string[] = NOT_STARTED,
): Promise<Task[]> {
  const cluster = config.clusterArn;
  const serviceName = config.serviceNames[side];
  const listed = await Promise.all(
    (['RUNNING', 'STOPPED'] as const).map(async (desiredStatus) => {
      const arns: string[] = [];
      for await (const page of paginateListTasks({ client: ecs }, { cluster, serviceName, desiredStatus })) {
        arns.push(...(page.taskArns ?? []));
      }
      return arns;
    }),
  );
  // A task that is stopped between the two calls is in both.
  const arns = [...new Set(listed.flat())];
  const pages = Array.from({ length: Math.ceil(arns.length / DESCRIBE_AT_ONCE) }, (_, page) =>
    arns.slice(page * DESCRIBE_AT_ONCE, (page + 1) * DESCRIBE_AT_ONCE),
  );
  const described = await Promise.all(
    pages.map(async (tasks) => (await ecs.send(new DescribeTasksCommand({ cluster, tasks }))).tasks ?? []),
  );
  return described.flat().filter(({ lastStatus = '' }) => !leftOut.includes(lastStatus));
}

type Call = (
  address: string,
  method: 'GET' | 'POST',
  path: string,
  body: unknown,
  connection: AdminConnection,
  timeoutMs?: number,
) => Promise<unknown>;

/** The process that was at an address at the last poll most often still is: one request is enough then, where two were. */
function windowAsker(call: Call): (address: string, order: WindowOrder) => Promise<LookReport> {
  const identities = new Map<string, string>();
  return async (address, order) => {
    const connection = new AdminConnection();
    const ask = async () => (await call(address, 'POST', ADMIN_PATHS.window, order, connection)) as LookReport;
    connection.identity = identities.get(address);
    const isKnown = connection.identity !== undefined;
    const beganMs = performance.now();
    try {
      // Another process rejects what is not meant for it, and at once.
      return await ask().catch((error: unknown) => {
        if (!isKnown || performance.now() - beganMs > QUICK_MS) throw error;
        return ask();
      });
    } finally {
      if (connection.identity === undefined) identities.delete(address);
      else identities.set(address, connection.identity);
      connection.close();
    }
  };
}

interface FoundTask {
  readonly home: Side;
  readonly task: Task;
  readonly isKept: boolean;
}

function openTask({ home, task, isKept }: FoundTask, call: Call): SwitchTask {
  const id = findId(task);
  const { lastStatus = '', stoppedAt } = task;
  const address = findAddress(task);
  const named = { id, home, ...(address !== undefined && { address }) };
  if (!NOT_STARTED.includes(lastStatus) && readLife(task) === 'stopped') {
    return { ...named, ...(stoppedAt && { stoppedAtMs: stoppedAt.getTime() }) };
  }
  const connection = new AdminConnection(isKept);
  const ask = async <T = LedgerReport>(method: 'GET' | 'POST', path: string, body?: unknown) => {
    if (address === undefined) throw new Error(`task '${task.taskArn}' has no private IPv4 address`);
    return (await call(address, method, path, body, connection)) as T;
  };
  const askApart = async <T>(path: string, body: unknown, limitMs: number) => {
    if (address === undefined) throw new Error(`task '${task.taskArn}' has no private IPv4 address`);
    const own = new AdminConnection(false);
    own.identity = connection.identity;
    try {
      return (await call(address, 'POST', path, body, own, limitMs)) as T;
    } finally {
      own.close();
    }
  };
  const session: TaskSession = {
    report: async () => {
      const report = await ask('GET', ADMIN_PATHS.drainStatus);
      // The first order for each of a thousand tasks needs no call more.
      connection.identity = report.identity;
      return report;
    },
    hold: (order) => ask('POST', ADMIN_PATHS.hold, order),
    release: (order) => ask('POST', ADMIN_PATHS.release, order),
    retarget: (order) => ask('POST', ADMIN_PATHS.retarget, order),
    probe: (order) =>
      order.isOfBackendAlone
        ? askApart<ProbeReport>(ADMIN_PATHS.probe, order, ADMIN_MS)
        : ask<ProbeReport>('POST', ADMIN_PATHS.probe, order),
    callBackend: (order) =>
      askApart<BackendCallReport>(ADMIN_PATHS.backendCall, order, order.timeoutMs + CALL_MARGIN_MS),
    transferState: (order) => askApart<TransferReport>(ADMIN_PATHS.stateTransfer, order, order.waitMs + CALL_MARGIN_MS),
    close: () => connection.close(),
  };
  return { ...named, session };
}

function readLife(task: Task): TaskReading['life'] {
  if (!WITH_PROCESS.includes(task.lastStatus ?? '')) return 'stopped';
  return isStaying(task) ? 'running' : 'leaving';
}

function chooseStart({ startedAt }: Task): Pick<TaskReading, 'startedAtMs'> {
  return startedAt ? { startedAtMs: startedAt.getTime() } : {};
}

/** Of the proxy: a sidecar's says nothing of connections. */
function chooseExitCode({ containers = [] }: Task): Pick<TaskReading, 'exitCode'> {
  const { exitCode } = containers.find(({ name }) => name === PROXY_CONTAINER) ?? containers[0] ?? {};
  return exitCode === undefined ? {} : { exitCode };
}

/** The last part of a task's ARN is 32 hexadecimal digits: the end of it tells two tasks of a side apart. */
function findId({ taskArn = '' }: Task): string {
  return taskArn.slice(-12);
}

function isStaying({ desiredStatus }: Task): boolean {
  return desiredStatus === 'RUNNING';
}

/** With `awsvpc` networking a task has one network interface, and its address is among the attachment's details. */
function findAddress(task: Task): string | undefined {
  const details = task.attachments?.find(({ type }) => type === 'ElasticNetworkInterface')?.details ?? [];
  return details.find(({ name }) => name === 'privateIPv4Address')?.value;
}

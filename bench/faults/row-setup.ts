// What a row stands on: the rehearsal's own local cloud between backends and a client of this
// folder.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parsePlan } from '../../core/plan/plan';
import { readAssembly } from '../../rehearsal/template/assembly/read';
import { readStackModel } from '../../rehearsal/template/model/stack-model';
import type { ExecutionDescription } from '../../rehearsal/state-machine/model';
import { LocalCloud } from '../../rehearsal/cloud/local-cloud';
import type { ClientOptions, Seen } from './seen';

export type Side = 'source' | 'target';

const PAUSES_DIVIDED_BY = 20;
const SOCKETS = 6;
const ANY_PORT = new Map([
  [443, 0],
  [9201, 0],
  [9202, 0],
]);

/** Everything of one row. Its processes are found here by what they are, and harmed from outside by their ids. */
export interface RowSetup {
  readonly cloud: LocalCloud;
  readonly backends: Readonly<Record<Side, ChildProcess>>;
  readonly client: ChildProcess;
  /** Called at every state that an execution enters. */
  onState: (execution: ExecutionDescription) => void;
  stop(): Promise<void>;
}

export async function startRow(app: string, plan: object): Promise<RowSetup> {
  const backends = { source: forkFile('backend', 'source'), target: forkFile('backend', 'target') };
  const [[source], [target]] = (await Promise.all([
    once(backends.source, 'message'),
    once(backends.target, 'message'),
  ])) as [[string], [string]];
  const row: { onState: RowSetup['onState'] } = { onState: () => undefined };
  const cloud = await startCloud(app, plan, { source, target }, (execution) => row.onState(execution));
  const { config, elb } = cloud.model;
  await healthy(cloud, 1);
  const options: ClientOptions = {
    port: elb.listener(config.weightedListenerArn).port,
    name: config.domainName,
    caFile: cloud.caFile,
    sockets: SOCKETS,
  };
  const client = forkFile('client', JSON.stringify(options));
  return Object.assign(row, {
    cloud,
    backends,
    client,
    stop: async () => {
      client.kill('SIGKILL');
      for (const backend of Object.values(backends)) backend.kill('SIGKILL');
      await cloud.stop();
    },
  });
}

export function startCloud(
  app: string,
  plan: object,
  upstreams: Readonly<Record<Side, string>>,
  onExecution: (execution: ExecutionDescription) => void,
): Promise<LocalCloud> {
  return LocalCloud.start({
    ...{ model: readStackModel(readAssembly(app)), plan: parsePlan(plan), upstreams, ports: ANY_PORT },
    ...{ speed: PAUSES_DIVIDED_BY, seed: 1, trust: 'ownBundles', hasLoopbackNetwork: true },
    onExecution,
    ...{ onFailure: () => undefined, onStatusCall: () => undefined, onBroken: () => undefined },
  });
}

/** Waits until each side has so many healthy targets. */
export async function healthy(cloud: LocalCloud, count: number): Promise<void> {
  const { elb, config } = cloud.model;
  const states = (side: Side) => [...elb.targetGroup(config.targetGroupArns[side]).targets.values()];
  const isHealthy = (side: Side) => states(side).filter(({ state }) => state === 'healthy').length >= count;
  while (!isHealthy('source') || !isHealthy('target')) await pause(50);
}

/** The proxy tasks of a side that are to stay. */
export function proxies({ cloud }: Pick<RowSetup, 'cloud'>, side: Side) {
  const { tasks, model } = cloud;
  const isOfSide = (serviceArn: string) => tasks.services.get(serviceArn)?.name === model.config.serviceNames[side];
  return [...tasks.tasks.values()].filter(
    ({ serviceArn, status, desiredStatus }) =>
      isOfSide(serviceArn) && status === 'RUNNING' && desiredStatus === 'RUNNING',
  );
}

export function serviceArn({ cloud }: Pick<RowSetup, 'cloud'>, side: Side): string {
  const { services } = cloud.tasks;
  const name = cloud.model.config.serviceNames[side];
  for (const [arn, service] of services) if (service.name === name) return arn;
  throw new Error(`'${name}' must be a service, got none`);
}

export async function clientSeen({ client }: RowSetup, order: 'tell' | 'stop'): Promise<Seen> {
  const responded = once(client, 'message') as Promise<[Seen]>;
  client.send(order);
  return (await responded)[0];
}

function forkFile(name: string, argument: string): ChildProcess {
  return fork(join(__dirname, `${name}.js`), [argument], { execArgv: [], stdio: 'inherit' });
}

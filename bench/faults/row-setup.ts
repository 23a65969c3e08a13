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
import type { Side } from '../../core/traffic/weights';
import type { FaultySide } from '../../rehearsal/backend/faulty-side';
import { findServiceArn, type Breakables } from '../../rehearsal/faults/breakables';
import { sendSignal } from '../../rehearsal/processes/signal';
import type { ClientOptions, Seen } from './seen';

const PAUSES_DIVIDED_BY = 20;
const SOCKETS = 6;
const ANY_PORT = new Map([
  [443, 0],
  [9201, 0],
  [9202, 0],
]);

/** Everything of one row. Its processes are harmed from outside, by their ids. */
export interface RowSetup extends Breakables {
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
  await healthy(cloud);
  const options: ClientOptions = {
    port: elb.listener(config.weightedListenerArn).port,
    name: config.domainName,
    caFile: cloud.caFile,
    sockets: SOCKETS,
  };
  const client = forkFile('client', JSON.stringify(options));
  return Object.assign(row, {
    ...{ cloud, client },
    sides: { source: faultySide(backends.source), target: faultySide(backends.target) },
    stopTraffic: () => void client.send('pause'),
    stop: async () => {
      client.kill('SIGKILL');
      for (const backend of Object.values(backends)) backend.kill('SIGKILL');
      await cloud.stop();
    },
  });
}

function faultySide(child: ChildProcess): FaultySide {
  return {
    kill: () => sendSignal(child.pid, 'SIGKILL'),
    freeze: () => sendSignal(child.pid, 'SIGSTOP'),
    degrade: (how) => void child.send(how),
  };
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

/** Waits until every task that its service wants is healthy: then the client's sockets are spread over all of them. */
export async function healthy(cloud: LocalCloud): Promise<void> {
  const { elb, config } = cloud.model;
  const states = (side: Side) => [...elb.targetGroup(config.targetGroupArns[side]).targets.values()];
  const isHealthy = (side: Side) => {
    const wanted = cloud.tasks.services.get(findServiceArn(cloud, side))?.desiredCount ?? 1;
    return states(side).filter(({ state }) => state === 'healthy').length >= wanted;
  };
  while (!isHealthy('source') || !isHealthy('target')) await pause(50);
}

export async function clientSeen({ client }: RowSetup, order: 'tell' | 'stop'): Promise<Seen> {
  const responded = once(client, 'message') as Promise<[Seen]>;
  client.send(order);
  return (await responded)[0];
}

function forkFile(name: string, argument: string): ChildProcess {
  return fork(join(__dirname, `${name}.js`), [argument], { execArgv: [], stdio: 'inherit' });
}

/** Why it failed, or where it goes on. @returns empty where it succeeded */
export function findCause({ cause, status, entered }: ExecutionDescription): string {
  return cause ?? (status === 'RUNNING' ? `it goes on in ${entered.at(-1)?.state}` : '');
}

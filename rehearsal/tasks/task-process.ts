import { ChildProcess, spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { createConnection } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { signalChild } from '../../core/errors/signals';
import { machineTime } from '../processes/machine-time';
import type { ProcessHooks } from '../processes/processes';
import type { EcsTask, TaskStatus } from './model';

/** How a service's container is run: its own command, in the folder that is its image's content. */
export interface ContainerSpec {
  readonly name: string;
  readonly image: string;
  readonly folder: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** The variable that tells it the task's own address. @default - none */
  readonly addressVariable?: string;
  /** The role in which it calls AWS. */
  readonly role: string;
  readonly port: number;
  readonly stopTimeoutSeconds: number;
}

interface TaskIdentity {
  readonly arn: string;
  readonly serviceArn: string;
  readonly clusterArn: string;
  readonly taskDefinitionArn: string;
  readonly ip: string;
  readonly deployment: number;
}

/** One task: the container's command as a local process on an address of its own. */
export class TaskProcess implements EcsTask {
  readonly events = new EventEmitter();
  readonly createdAt = new Date();
  startedAt?: Date;
  stoppedAt?: Date;
  status: TaskStatus = 'PROVISIONING';
  desiredStatus: 'RUNNING' | 'STOPPED' = 'RUNNING';
  stoppedReason?: string;
  exitCode?: number;
  /** It ended without being asked to. */
  hasFailed = false;
  private readonly child: ChildProcess;
  private readonly gone: Promise<void>;

  constructor(
    private readonly identity: TaskIdentity,
    private readonly container: ContainerSpec,
    private readonly hooks: ProcessHooks,
  ) {
    const [command = '', ...rest] = container.command;
    this.child = spawn(command === 'node' ? process.execPath : command, rest, {
      cwd: container.folder,
      env: localEnvironment(container, identity.ip),
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (this.child.pid !== undefined) hooks.started(this.child.pid);
    this.child.stdout?.on('data', (chunk) => hooks.log.write(chunk));
    this.child.stderr?.on('data', (chunk) => hooks.log.write(chunk));
    this.gone = new Promise((resolve) => {
      this.child.on('error', (error) => resolve(this.exited(`CannotStartContainerError: ${error.message}`, undefined)));
      this.child.on('exit', (code, signal) => {
        const how = code === null ? `signal ${signal}` : `status ${code}`;
        resolve(this.exited(`Essential container in task exited (${how})`, code ?? undefined));
      });
    });
    void this.becomeRunning();
  }

  get arn(): string {
    return this.identity.arn;
  }
  get serviceArn(): string {
    return this.identity.serviceArn;
  }
  get clusterArn(): string {
    return this.identity.clusterArn;
  }
  get taskDefinitionArn(): string {
    return this.identity.taskDefinitionArn;
  }
  get deployment(): number {
    return this.identity.deployment;
  }
  get ip(): string {
    return this.identity.ip;
  }
  get containerName(): string {
    return this.container.name;
  }
  get image(): string {
    return this.container.image;
  }
  get pid(): number | undefined {
    return this.child.pid;
  }

  /** SIGTERM, and SIGKILL after the container's stopTimeout. Resolves when the process is gone. */
  async terminate(reason: string): Promise<void> {
    if (this.status === 'STOPPED') return;
    this.stoppedReason ??= reason;
    this.setStatus('STOPPING');
    signalChild(this.child, 'SIGTERM');
    const stopMs = this.container.stopTimeoutSeconds * 1000;
    const kill = machineTime.limit(stopMs, () => signalChild(this.child, 'SIGKILL'));
    await this.gone;
    kill.clear();
  }

  /** SIGKILL. Resolves when the process is gone. */
  async kill(): Promise<void> {
    signalChild(this.child, 'SIGKILL');
    await this.gone;
  }

  setStatus(status: TaskStatus): void {
    if (this.status === 'STOPPED') return;
    this.status = status;
    this.events.emit('status', status);
  }

  /** A container is running once its port responds: what pulling and starting an image is at AWS. */
  private async becomeRunning(): Promise<void> {
    while (this.status === 'PROVISIONING') {
      if (await responds(this.ip, this.container.port)) {
        this.startedAt = new Date();
        this.setStatus('RUNNING');
        return;
      }
      await pause(50);
    }
  }

  private exited(reason: string, exitCode: number | undefined): void {
    if (this.status === 'STOPPED') return;
    if (this.child.pid !== undefined) this.hooks.ended(this.child.pid);
    this.hasFailed = this.desiredStatus === 'RUNNING';
    this.stoppedReason ??= reason;
    this.desiredStatus = 'STOPPED';
    this.stoppedAt = new Date();
    if (exitCode !== undefined) this.exitCode = exitCode;
    this.setStatus('STOPPED');
  }
}

/** The container's own environment and no more; where it binds every address it binds the task's alone. */
function localEnvironment({ environment, addressVariable }: ContainerSpec, ip: string): Record<string, string> {
  const local = Object.entries(environment).map(([name, value]): [string, string] => [
    name,
    value.replace(/^0\.0\.0\.0(?=:)/, ip),
  ]);
  return { ...Object.fromEntries(local), ...(addressVariable !== undefined && { [addressVariable]: ip }) };
}

function responds(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    const done = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}

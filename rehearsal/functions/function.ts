import { ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { signalChild } from '../../core/errors/signals';
import { entryPath } from '../processes/entry';
import { Limit, machineTime } from '../processes/machine-time';
import type { ProcessHooks } from '../processes/processes';
import type { Invocation, Result } from './host';

/** A Lambda function as the template defines it, with its environment resolved. */
export interface FunctionSpec {
  readonly arn: string;
  readonly name: string;
  /** The unpacked code asset. */
  readonly folder: string;
  readonly handler: string;
  readonly timeoutSeconds: number;
  readonly environment: Readonly<Record<string, string>>;
  /** The logical id of its execution role. */
  readonly role: string;
}

/** What Step Functions compares with `ErrorEquals`, and puts in `Cause` as JSON. */
export class FunctionError extends Error {
  constructor(
    readonly errorType: string,
    failure: { errorMessage: string; trace?: readonly string[] },
  ) {
    super(JSON.stringify({ errorType, ...failure }));
    this.name = errorType;
  }
}

/** `dies` when it has done everything and before it has responded; `hangs` from its start to its time limit. */
export type FunctionFault = 'dies' | 'hangs';

interface Pending {
  /** Whose response it waits for. */
  readonly child: ChildProcess;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timeout: Limit;
}

/**
 * One Lambda function: its process starts with the first event and stays warm; a dead or late one is replaced. An event that comes while
 * one is at work gets a process of its own, as at Lambda: behind one that hangs it would hang, too.
 */
export class LocalFunction {
  private child: ChildProcess | undefined;
  /** Those that are being replaced are among them. */
  private readonly children = new Set<ChildProcess>();
  private readonly pending = new Map<number, Pending>();
  private nextId = 1;
  private isStopped = false;
  /** Of the next call. */
  private fault: FunctionFault | undefined;

  constructor(
    private spec: FunctionSpec,
    /** What the service adds to the template's own environment: region, endpoint, credentials. */
    private readonly environment: (spec: FunctionSpec) => Readonly<Record<string, string>>,
    private readonly hooks: ProcessHooks,
  ) {}

  get pid(): number | undefined {
    return this.child?.pid;
  }

  breakCall(fault: FunctionFault): void {
    this.fault = fault;
    if (fault === 'hangs' && this.pending.size > 0) this.hang();
  }

  private hang(): void {
    this.fault = undefined;
    if (this.child) signalChild(this.child, 'SIGSTOP');
  }

  /** @throws FunctionError of the handler's error, `Sandbox.Timedout`, or `Runtime.ExitError` when the process died */
  invoke(event: unknown): Promise<unknown> {
    if (this.isStopped) return Promise.reject(exitError('the function was stopped'));
    if (this.child && this.isBusy(this.child)) this.child = undefined;
    const child = (this.child ??= this.start());
    const id = this.nextId;
    this.nextId += 1;
    return new Promise((resolve, reject) => {
      const late = () => {
        const errorMessage = `Task timed out after ${this.spec.timeoutSeconds}.00 seconds`;
        this.settle(id, ({ reject: fail }) => fail(new FunctionError('Sandbox.Timedout', { errorMessage })));
        this.discard(child);
      };
      const timeout = machineTime.limit(this.spec.timeoutSeconds * 1000, late);
      this.pending.set(id, { child, resolve, reject, timeout });
      const invocation: Invocation = { id, event, functionArn: this.spec.arn };
      // Without a channel it could not be made, or has ended: that is told beside.
      if (!child.connected) return;
      child.send(invocation, (error) => {
        if (error) this.settle(id, ({ reject: fail }) => fail(exitError(error.message)));
      });
      if (this.fault === 'hangs') this.hang();
    });
  }

  /** Another code or another environment: what is under way ends in the old one, the next event gets the new one. */
  update(spec: FunctionSpec): void {
    if (JSON.stringify(spec) === JSON.stringify(this.spec)) return;
    this.spec = spec;
    const { child } = this;
    this.child = undefined;
    if (child) this.endIfIdle(child);
  }

  /** Resolves when no process is left. An event that comes later, as a retry of one that was cut, starts none. */
  async stop(): Promise<void> {
    this.isStopped = true;
    const gone = [...this.children].map((child) => once(child, 'exit'));
    for (const child of this.children) this.discard(child);
    await Promise.all(gone);
  }

  /** The next event gets a new process at once: one that is being killed would take it along. */
  private discard(child: ChildProcess): void {
    if (this.child === child) this.child = undefined;
    signalChild(child, 'SIGKILL');
  }

  private endIfIdle(child: ChildProcess): void {
    if (!this.isBusy(child)) signalChild(child, 'SIGKILL');
  }

  private isBusy(child: ChildProcess): boolean {
    return [...this.pending.values()].some((pending) => pending.child === child);
  }

  private start(): ChildProcess {
    const { folder, handler, environment } = this.spec;
    const child = fork(entryPath('functions/host'), [folder, handler], {
      env: {
        ...environment,
        ...this.environment(this.spec),
        AWS_LAMBDA_FUNCTION_NAME: this.spec.name,
        AWS_LAMBDA_FUNCTION_TIMEOUT: String(this.spec.timeoutSeconds),
      },
      // A group of its own: Ctrl-C in a terminal is for the rehearsal, which then ends its processes itself.
      detached: true,
      execArgv: [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.children.add(child);
    if (child.pid !== undefined) this.hooks.started(child.pid);
    child.stdout?.on('data', (chunk) => this.hooks.log.write(chunk));
    child.stderr?.on('data', (chunk) => this.hooks.log.write(chunk));
    child.on('message', (result: Result) => this.responded(child, result));
    child.on('error', (error) => this.ended(child, error.message));
    child.on('exit', (code, signal) => {
      this.ended(child, `process exited with ${code === null ? signal : `status ${code}`}`);
    });
    return child;
  }

  private responded(child: ChildProcess, { id, value, failure }: Result): void {
    if (this.fault === 'dies') {
      this.fault = undefined;
      // Its end settles the call.
      return this.discard(child);
    }
    this.settle(id, ({ resolve, reject }) => {
      if (failure) reject(new FunctionError(failure.errorType, failure));
      else resolve(value);
    });
  }

  private ended(child: ChildProcess, reason: string): void {
    if (this.child === child) this.child = undefined;
    this.children.delete(child);
    if (child.pid !== undefined) this.hooks.ended(child.pid);
    for (const [id, pending] of [...this.pending]) {
      if (pending.child === child) this.settle(id, ({ reject }) => reject(exitError(reason)));
    }
  }

  private settle(id: number, act: (pending: Pending) => void): void {
    const pending = this.pending.get(id);
    if (!pending) return;
    this.pending.delete(id);
    pending.timeout.clear();
    act(pending);
    if (pending.child !== this.child) this.endIfIdle(pending.child);
  }
}

function exitError(reason: string): FunctionError {
  return new FunctionError('Runtime.ExitError', {
    errorMessage: `RequestId: rehearsal Error: Runtime exited: ${reason}`,
  });
}

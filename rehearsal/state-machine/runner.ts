import { StateMachine } from 'aws-local-stepfunctions';
import { AwsError } from '../errors/aws-error';
import { UsageError } from '../errors/usage-error';
import { Limits, checkPayload } from './limits';
import { recordVisit, recorded } from './record';
import { ExecutionDescription, ExecutionStatus, MachineDescription, StatesModel } from './model';

/** Calls the function of this ARN. */
type Invoke = (functionArn: string, payload: unknown) => Promise<unknown>;

interface State {
  Type: string;
  Resource?: string;
  Retry?: readonly { IntervalSeconds?: number }[];
  Parameters?: Readonly<Record<string, unknown>>;
  TimeoutSecondsPath?: string;
}

interface Definition {
  StartAt: string;
  States: Record<string, State>;
  TimeoutSeconds?: number;
}

type Running = ReturnType<StateMachine['run']>;

/** A machine that was validated: that takes a quarter of a second, and must not hold up a start under traffic. */
interface Machine {
  readonly description: MachineDescription;
  readonly definition: Definition;
  readonly local: StateMachine;
}

const LAMBDA_INVOKE = 'arn:aws:states:::lambda:invoke';
/** The longest that a timer of Node can wait, about 24 days; a longer limit of a state machine is never reached here. */
const MAX_TIMER_SECONDS = 2_147_483;
/** However fast: a retry without any pause would only heat the machine. */
const MIN_PAUSE_MS = 50;

/** Runs state machines from their own definitions; only the Lambda tasks lead to local processes. */
export class StateMachineRunner implements StatesModel {
  readonly executions = new Map<string, ExecutionDescription>();
  private readonly machines = new Map<string, Machine>();
  private readonly running = new Map<string, Running>();

  constructor(
    private readonly invoke: Invoke,
    /** Called at every state that is entered, and once when an execution ends. */
    private readonly changed: (execution: ExecutionDescription) => void,
    private readonly options: {
      /** The pauses before retries are divided by it; at 1 they are the definition's own. */
      readonly speed: number;
      /** Called at every failure of a state, also of one that is repeated or caught. */
      readonly failed: (state: string, error: string, cause: string) => void;
    } = { speed: 1, failed: () => undefined },
  ) {}

  get stateMachines(): ReadonlyMap<string, MachineDescription> {
    return new Map([...this.machines].map(([arn, { description }]) => [arn, description]));
  }

  /** @throws UsageError for a definition that Step Functions would not take */
  add(description: MachineDescription): void {
    const definition = findDefinition(description);
    this.machines.set(description.arn, { description, definition, local: validated(description, definition) });
  }

  start(machineArn: string, name: string, input: string): ExecutionDescription {
    const machine = this.machines.get(machineArn);
    if (!machine) throw new AwsError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${machineArn}'`);
    const arn = `${machineArn.replace(':stateMachine:', ':execution:')}:${name}`;
    const present = this.executions.get(arn);
    // The same name with the same input returns the execution that runs already; a closed name is rejected.
    if (present?.status === 'RUNNING' && present.input === input) return present;
    if (present) throw new AwsError('ExecutionAlreadyExists', `Execution Already Exists: '${arn}'`);
    const execution: ExecutionDescription = {
      arn,
      name,
      machineArn,
      input,
      startedAt: new Date(),
      status: 'RUNNING',
      entered: [],
      calls: [],
    };
    const parsed = parseInput(input);
    this.executions.set(arn, execution);
    void this.run(machine, execution, parsed);
    return execution;
  }

  stop(executionArn: string, error: string, cause: string): void {
    const execution = this.executions.get(executionArn);
    if (!execution) throw new AwsError('ExecutionDoesNotExist', `Execution Does Not Exist: '${executionArn}'`);
    this.abort(execution, 'ABORTED', { error, cause });
  }

  redrive(executionArn: string): void {
    const execution = this.executions.get(executionArn);
    const machine = execution && this.machines.get(execution.machineArn);
    if (!execution || !machine) {
      throw new AwsError('ExecutionDoesNotExist', `Execution Does Not Exist: '${executionArn}'`);
    }
    const visit = execution.entered.at(-1);
    if (!['FAILED', 'TIMED_OUT', 'ABORTED'].includes(execution.status) || visit?.input === undefined) {
      throw new AwsError('ExecutionNotRedrivable', `Execution is not redrivable: '${executionArn}'`);
    }
    const definition = { ...machine.definition, StartAt: visit.state };
    Object.assign(execution, { status: 'RUNNING', stoppedAt: undefined, error: undefined, cause: undefined });
    execution.redriven = { count: (execution.redriven?.count ?? 0) + 1, at: new Date() };
    this.changed(execution);
    const local = new StateMachine(definition as ConstructorParameters<typeof StateMachine>[0], {
      // It was validated when it was added; the states before this one are out of reach now, and that is meant.
      validationOptions: { noValidate: true },
    });
    void this.run({ ...machine, definition, local }, execution, JSON.parse(visit.input) as object);
  }

  stopAll(): void {
    for (const arn of [...this.running.keys()]) this.stop(arn, 'Stopped', 'the rehearsal ends');
  }

  /** Never rejects: whatever goes wrong is the end of the execution. */
  private async run(machine: Machine, execution: ExecutionDescription, input: object): Promise<void> {
    let followed: Promise<void> = Promise.resolve();
    let run: Running | undefined;
    // One that was stopped has ended, and may have been redriven since.
    const isStopped = () => run !== undefined && this.running.get(execution.arn) !== run;
    try {
      run = machine.local.run(input as Parameters<StateMachine['run']>[0], {
        overrides: {
          taskResourceLocalHandlers: this.handlers(machine.definition, execution) as never,
          ...(this.options.speed > 1 && { retryIntervalOverrides: this.pauses(machine.definition) }),
        },
        context: findContext(machine.description, execution) as never,
        noThrowOnAbort: true,
      });
      this.running.set(execution.arn, run);
      followed = this.follow(run, execution).catch((error: Error) =>
        this.abort(execution, 'FAILED', { error: error.name, cause: error.message }),
      );
      const output = await run.result;
      await followed;
      if (!isStopped()) this.end(execution, 'SUCCEEDED', { output: JSON.stringify(output) });
    } catch (error) {
      const cause = (error as Error).cause as Error | undefined;
      const timedOut = (error as Error).name === 'ExecutionTimeoutError';
      // The library ends its events where an execution fails, and not where its time limit is reached.
      if (!timedOut) await followed;
      if (isStopped()) return;
      this.end(execution, timedOut ? 'TIMED_OUT' : 'FAILED', {
        error: cause?.name ?? String(error),
        cause: cause?.message ?? '',
      });
    } finally {
      if (!isStopped()) this.running.delete(execution.arn);
    }
  }

  private handlers(
    definition: Definition,
    execution: ExecutionDescription,
  ): Record<string, (input: unknown) => Promise<unknown>> {
    const tasks = Object.entries(definition.States).filter(([, { Type }]) => Type === 'Task');
    return Object.fromEntries(
      tasks.map(([name, { Resource }]) => [
        name,
        async (input: unknown) => {
          if (Resource !== LAMBDA_INVOKE)
            throw new Error(`the resource of '${name}' must be ${LAMBDA_INVOKE}, got ${Resource}`);
          // Here and not at the next event: a Lambda function must not be called with what Step Functions would not pass.
          checkPayload(name, 'input', input);
          return recorded(execution, name, input, () => this.call(name, input));
        },
      ]),
    );
  }

  private async call(name: string, input: unknown): Promise<object> {
    const { FunctionName, Payload } = input as { FunctionName: string; Payload: unknown };
    const output = { Payload: await this.invoke(FunctionName, Payload), StatusCode: 200 };
    checkPayload(name, 'output', output);
    return output;
  }

  /** Milliseconds before a retry, by state and retrier: without the back-off, which a shortened pause does not need. */
  private pauses(definition: Definition): Record<string, number[]> {
    const retried = Object.entries(definition.States).filter(([, { Retry }]) => Retry !== undefined);
    const pause = (seconds = 1) => Math.max(MIN_PAUSE_MS, (seconds * 1000) / this.options.speed);
    return Object.fromEntries(
      retried.map(([name, { Retry = [] }]) => [name, Retry.map(({ IntervalSeconds }) => pause(IntervalSeconds))]),
    );
  }

  /** @throws DataLimitExceeded, HistoryFull */
  private async follow(run: Running, execution: ExecutionDescription): Promise<void> {
    const limits = new Limits();
    for await (const event of run.eventLogs) {
      recordVisit(execution, event);
      // The end is told by itself, also when it comes before its last event.
      if (event.type === 'StateEntered' && execution.status === 'RUNNING') this.changed(execution);
      if (event.type === 'StateFailed') this.options.failed(event.state.name, event.Error, String(event.Cause));
      limits.check(event);
    }
  }

  private abort(
    execution: ExecutionDescription,
    status: ExecutionStatus,
    reason: { error: string; cause: string },
  ): void {
    const run = this.running.get(execution.arn);
    this.running.delete(execution.arn);
    this.end(execution, status, reason);
    run?.abort();
  }

  private end(
    execution: ExecutionDescription,
    status: ExecutionStatus,
    result: { output?: string; error?: string; cause?: string },
  ): void {
    if (execution.status !== 'RUNNING') return;
    Object.assign(execution, result);
    execution.stoppedAt = new Date();
    execution.status = status;
    this.changed(execution);
  }
}

function findDefinition({ name, definition }: MachineDescription): Definition {
  try {
    const parsed = JSON.parse(definition) as Definition;
    if ((parsed.TimeoutSeconds ?? 0) > MAX_TIMER_SECONDS) delete parsed.TimeoutSeconds;
    return withTimeoutPaths(parsed);
  } catch (error) {
    throw new UsageError(`the definition of state machine '${name}' must be JSON, got ${(error as Error).message}`);
  }
}

/**
 * The path of a time limit is one in the state's input. The library looks it up in what `Parameters` make of that.
 *
 * @see https://docs.aws.amazon.com/step-functions/latest/dg/state-task.html
 */
export function withTimeoutPaths<
  T extends { States: Record<string, Pick<State, 'Parameters' | 'TimeoutSecondsPath'>> },
>(definition: T): T {
  const states = Object.entries(definition.States ?? {}).map(([name, state]) => {
    const { TimeoutSecondsPath: path, Parameters: parameters } = state;
    if (path === undefined || parameters?.['Payload.$'] !== '$') return [name, state] as const;
    return [name, { ...state, TimeoutSecondsPath: path.replace(/^\$/, '$.Payload') }] as const;
  });
  return { ...definition, States: Object.fromEntries(states) };
}

function validated({ name }: MachineDescription, definition: Definition): StateMachine {
  try {
    // The library types a definition as a union that JSON cannot be narrowed to; it validates it when it is constructed.
    return new StateMachine(definition as ConstructorParameters<typeof StateMachine>[0], {
      validationOptions: { checkArn: false },
    });
  } catch (error) {
    const problems = (error as Error).message.split('\n').slice(1).join('; ').trim();
    throw new UsageError(`the definition of state machine '${name}' must be valid, got ${problems}`);
  }
}

/** @see https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html */
function findContext(machine: MachineDescription, execution: ExecutionDescription): object {
  return {
    Execution: { Id: execution.arn, Name: execution.name, RoleArn: machine.roleArn },
    StateMachine: { Id: machine.arn, Name: machine.name },
  };
}

function parseInput(input: string): object {
  try {
    const parsed = JSON.parse(input) as unknown;
    if (typeof parsed === 'object' && parsed !== null) return parsed;
  } catch {
    // The same response as for JSON that is not an object.
  }
  throw new AwsError('InvalidExecutionInput', `Invalid State Machine Execution Input: '${input.slice(0, 100)}'`);
}

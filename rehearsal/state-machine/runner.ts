import { StateMachine } from 'aws-local-stepfunctions';
import { AwsError } from '../aws/aws-error';
import { ExecutionDescription, ExecutionStatus, MachineDescription, StatesModel } from './model';

/** Calls the function of this ARN. */
export type Invoke = (functionArn: string, payload: unknown) => Promise<unknown>;

interface Definition {
  StartAt: string;
  States: Record<string, { Type: string; Resource?: string }>;
  TimeoutSeconds?: number;
}

type Running = ReturnType<StateMachine['run']>;

const LAMBDA_INVOKE = 'arn:aws:states:::lambda:invoke';
/** The longest that a timer of Node can wait, about 24 days; a longer limit of a state machine is never reached here. */
const LONGEST_TIMER_SECONDS = 2_147_483;

/** Runs state machines from their own definitions; only the Lambda tasks lead to local processes. */
export class StateMachineRunner implements StatesModel {
  readonly stateMachines = new Map<string, MachineDescription>();
  readonly executions = new Map<string, ExecutionDescription>();
  private readonly running = new Map<string, Running>();

  constructor(
    private readonly invoke: Invoke,
    /** Called at every state that is entered, and when an execution ends. */
    private readonly changed: (execution: ExecutionDescription) => void,
  ) {}

  add(machine: MachineDescription): void {
    this.stateMachines.set(machine.arn, machine);
  }

  start(machineArn: string, name: string, input: string): ExecutionDescription {
    const machine = this.stateMachines.get(machineArn);
    if (!machine) throw new AwsError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${machineArn}'`);
    const arn = `${machineArn.replace(':stateMachine:', ':execution:')}:${name}`;
    const present = this.executions.get(arn);
    // The same name with the same input answers with the execution that runs already; a closed name is refused.
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
    };
    const parsed = parseInput(input);
    this.executions.set(arn, execution);
    void this.run(machine, execution, parsed);
    return execution;
  }

  stop(executionArn: string, error: string, cause: string): void {
    const execution = this.executions.get(executionArn);
    if (!execution) throw new AwsError('ExecutionDoesNotExist', `Execution Does Not Exist: '${executionArn}'`);
    if (execution.status !== 'RUNNING') return;
    this.end(execution, 'ABORTED', { error, cause });
    this.running.get(executionArn)?.abort();
  }

  stopAll(): void {
    for (const arn of this.running.keys()) this.stop(arn, 'Stopped', 'the rehearsal ends');
  }

  private async run(machine: MachineDescription, execution: ExecutionDescription, input: object): Promise<void> {
    const definition = JSON.parse(machine.definition) as Definition;
    if ((definition.TimeoutSeconds ?? 0) > LONGEST_TIMER_SECONDS) delete definition.TimeoutSeconds;
    // The library types a definition as a union that JSON cannot be narrowed to; it validates it when it is constructed.
    const local = new StateMachine(definition as ConstructorParameters<typeof StateMachine>[0], {
      validationOptions: { checkArn: false },
    });
    const run = local.run(input as Parameters<StateMachine['run']>[0], {
      overrides: { taskResourceLocalHandlers: this.handlers(definition) as never },
      context: contextOf(machine, execution) as never,
      noThrowOnAbort: true,
    });
    this.running.set(execution.arn, run);
    void this.follow(run, execution);
    try {
      const output = await run.result;
      this.end(execution, 'SUCCEEDED', { output: JSON.stringify(output) });
    } catch (error) {
      const cause = (error as Error).cause as Error | undefined;
      const timedOut = (error as Error).name === 'ExecutionTimeoutError';
      this.end(execution, timedOut ? 'TIMED_OUT' : 'FAILED', {
        error: cause?.name ?? String(error),
        cause: cause?.message ?? '',
      });
    } finally {
      this.running.delete(execution.arn);
    }
  }

  private handlers(definition: Definition): Record<string, (input: unknown) => Promise<unknown>> {
    const tasks = Object.entries(definition.States).filter(([, { Type }]) => Type === 'Task');
    return Object.fromEntries(
      tasks.map(([name, { Resource }]) => [
        name,
        async (input: unknown) => {
          if (Resource !== LAMBDA_INVOKE)
            throw new Error(`the resource of '${name}' must be ${LAMBDA_INVOKE}, got ${Resource}`);
          const { FunctionName, Payload } = input as { FunctionName: string; Payload: unknown };
          return { Payload: await this.invoke(FunctionName, Payload), StatusCode: 200 };
        },
      ]),
    );
  }

  private async follow(run: Running, execution: ExecutionDescription): Promise<void> {
    for await (const event of run.eventLogs) {
      if (event.type !== 'StateEntered') continue;
      execution.entered.push({ state: event.state.name, at: new Date(event.timestamp) });
      this.changed(execution);
    }
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

/** @see https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html */
function contextOf(machine: MachineDescription, execution: ExecutionDescription): object {
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
    // The same answer as for JSON that is not an object.
  }
  throw new AwsError('InvalidExecutionInput', `Invalid State Machine Execution Input: '${input.slice(0, 100)}'`);
}

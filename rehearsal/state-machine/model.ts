/** What the Step Functions API can speak of. */
export interface StatesModel {
  /** By ARN. */
  readonly stateMachines: ReadonlyMap<string, MachineDescription>;
  /** By ARN. */
  readonly executions: ReadonlyMap<string, ExecutionDescription>;
  /** @throws AwsError StateMachineDoesNotExist, ExecutionAlreadyExists, InvalidExecutionInput, InvalidName */
  start(machineArn: string, name: string, input: string): ExecutionDescription;
  /** StopExecution: ends it at once, no Catch runs, status ABORTED. @throws AwsError ExecutionDoesNotExist */
  stop(executionArn: string, error: string, cause: string): void;
  /** RedriveExecution: an execution that did not succeed goes on with the state that it ended in. @throws AwsError ExecutionDoesNotExist, ExecutionNotRedrivable */
  redrive(executionArn: string): void;
}

export interface MachineDescription {
  readonly arn: string;
  readonly name: string;
  readonly definition: string;
  readonly roleArn: string;
  readonly createdAt: Date;
}

export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';

export interface ExecutionDescription {
  readonly arn: string;
  readonly name: string;
  readonly machineArn: string;
  readonly input: string;
  readonly startedAt: Date;
  status: ExecutionStatus;
  stoppedAt?: Date;
  /** How often, and when last. @default - never */
  redriven?: { readonly count: number; readonly at: Date };
  output?: string;
  error?: string;
  cause?: string;
  /** The state machine's place: every state entered, with its time, in order. */
  readonly entered: StateVisit[];
  /** Every call of a task, in order. @default - none */
  readonly calls?: TaskCall[];
}

/** One time that a state was entered. Payloads are JSON. */
export interface StateVisit {
  readonly state: string;
  readonly at: Date;
  readonly input?: string;
  /** How often its task was called again after a failure. */
  retries?: number;
  /** Absent while it lasts, and when the execution ended in it. */
  exit?: { readonly at: Date; readonly output: string };
}

/** One call of a task's service, a Lambda function. Payloads are JSON. */
export interface TaskCall {
  readonly state: string;
  readonly at: Date;
  readonly parameters: string;
  /** Absent while it lasts. */
  end?: { readonly at: Date } & ({ readonly output: string } | { readonly error: string; readonly cause: string });
}

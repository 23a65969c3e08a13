import {
  DescribeExecutionCommand,
  DescribeStateMachineCommand,
  GetExecutionHistoryCommand,
  HistoryEvent,
  ListExecutionsCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import type { ExecutionLook, ExecutionStatus } from '../../core/cutover/execution-look';
import type { CutoverRun } from '../../core/cutover/run';
import type { CheckedAlarms } from '../../core/judge/alarm-check';
import { Plan, parsePlan } from '../../core/plan/plan';
import type { PlanPart } from '../../core/plan/plan-floor';
import { CLIENT_CONFIG } from './client/client-config';
import { limited } from './client/limited';

/** The executions of a deployed state machine, for a person's command. */
export interface ExecutionsPort {
  /** The plan in the definition: what runs without a plan in the input. */
  deployedPlan(): Promise<Plan>;
  /** All that the definition says of a cutover. */
  deployed(): Promise<Deployed>;
  /** The last ones, the newest first: at most `max`, of this status where one is given. */
  list(max: number, status?: ExecutionStatus): Promise<readonly ExecutionEntry[]>;
  /**
   * Starts an execution. Again under the same name with the same input, it is the same one.
   *
   * @throws Error when it cannot be started
   */
  start(name: string, input: object): Promise<void>;
  /** Undefined where there is none of this name. */
  look(name: string): Promise<ExecutionLook | undefined>;
}

/** What the definition gives to the first step. */
export interface Deployed {
  readonly defaultPlan: unknown;
  /** The parts of it that the plan of an input may change. @default - all */
  readonly changeableParts?: readonly PlanPart[];
  readonly alarms?: CheckedAlarms;
}

/** An execution as it is listed. */
export interface ExecutionEntry {
  readonly name: string;
  readonly status: ExecutionStatus;
  /** Milliseconds since the epoch. */
  readonly startedAtMs: number;
  readonly endedAtMs?: number;
}

/** A person waits for it, who may be far from the region. */
const CALL_MS = 30_000;
/** The last events hold the present state, and the response of the step before it; behind the retries of a step there are more. */
const LAST_EVENTS = 20;
/** Each retry takes three to five events, and a step has up to 200 of them. */
const MORE_EVENTS = 500;
const MORE_PAGES = 2;

export function executionsPort(stateMachineArn: string): ExecutionsPort {
  const client = limited('Step Functions', new SFNClient(CLIENT_CONFIG), CALL_MS);
  const arnFor = (name: string) => `${stateMachineArn.replace(':stateMachine:', ':execution:')}:${name}`;
  const readDeployed = async () => {
    const { definition } = await client.send(new DescribeStateMachineCommand({ stateMachineArn }));
    return findDeployed(definition);
  };
  return {
    deployedPlan: async () => parsePlan((await readDeployed()).defaultPlan),
    deployed: readDeployed,
    list: async (max, statusFilter) => {
      const command = new ListExecutionsCommand({ stateMachineArn, maxResults: max, statusFilter });
      const { executions = [] } = await client.send(command);
      return executions.map(({ name = '', status = 'RUNNING', startDate, stopDate }) => ({
        name,
        status,
        startedAtMs: startDate?.getTime() ?? 0,
        ...(stopDate && { endedAtMs: stopDate.getTime() }),
      }));
    },
    start: async (name, input) => {
      await client.send(new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) }));
    },
    look: async (name) => {
      const executionArn = arnFor(name);
      try {
        const described = await client.send(new DescribeExecutionCommand({ executionArn }));
        const { status, error, cause, startDate, stopDate } = described;
        return {
          status: status ?? 'RUNNING',
          input: parseJson(described.input),
          ...(await readProgress(client, executionArn)),
          ...(startDate && { startedAtMs: startDate.getTime() }),
          ...(stopDate && { endedAtMs: stopDate.getTime() }),
          ...(error !== undefined && { error }),
          ...(cause !== undefined && { cause }),
        };
      } catch (thrown) {
        if (thrown instanceof Error && thrown.name === 'ExecutionDoesNotExist') return undefined;
        throw thrown;
      }
    },
  };
}

async function readProgress(client: SFNClient, executionArn: string): Promise<Pick<ExecutionLook, 'state' | 'run'>> {
  const events: HistoryEvent[] = [];
  let nextToken: string | undefined;
  for (let page = 0; ; page += 1) {
    const maxResults = page === 0 ? LAST_EVENTS : MORE_EVENTS;
    const command = new GetExecutionHistoryCommand({ executionArn, reverseOrder: true, maxResults, nextToken });
    const history = await client.send(command);
    events.push(...(history.events ?? []));
    nextToken = history.nextToken;
    const found = findProgress(events);
    if ((found.state !== undefined && found.run) || nextToken === undefined || page === MORE_PAGES) return found;
  }
}

/** The newest first. */
function findProgress(events: readonly HistoryEvent[]): Pick<ExecutionLook, 'state' | 'run'> {
  const state = events.find(({ stateEnteredEventDetails: entered }) => entered)?.stateEnteredEventDetails?.name;
  const run = events
    .flatMap(({ stateExitedEventDetails: exited }) => parseJson(exited?.output) ?? [])
    .find((output) => isRun(output));
  return { ...(state !== undefined && { state }), ...(run && { run }) };
}

function isRun(output: unknown): output is CutoverRun {
  return typeof output === 'object' && output !== null && 'execution' in output && 'plan' in output;
}

function findDeployed(definition: string | undefined): Deployed {
  const read = parseJson(definition) as { States?: Record<string, { Parameters?: { Payload?: object } }> } | undefined;
  const payload = read?.States?.Lock?.Parameters?.Payload;
  if (payload && 'defaultPlan' in payload) return payload;
  throw new Error("the definition of the state machine must have its plan in the state 'Lock', got another one");
}

function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

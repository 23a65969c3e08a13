import { ExecutionDescription, ExecutionStatus, StateVisit, TaskCall } from '../../../state-machine/model';
import { AwsObject } from '../../operations/operation';

type State = { readonly Type?: unknown } & Readonly<Record<string, unknown>>;

/** The type of every state by its name, those inside of Parallel and Map among them. Garbage reads as no states. */
export function stateTypes(definition: string): ReadonlyMap<string, string> {
  const types = new Map<string, string>();
  collect(parsed(definition), types);
  return types;
}

function parsed(definition: string): unknown {
  try {
    return JSON.parse(definition);
  } catch {
    return undefined;
  }
}

function collect(node: unknown, types: Map<string, string>): void {
  if (typeof node !== 'object' || node === null) return;
  const { States, Branches, Iterator, ItemProcessor } = node as Record<string, unknown>;
  for (const inner of [Iterator, ItemProcessor, ...(Array.isArray(Branches) ? (Branches as unknown[]) : [])]) {
    collect(inner, types);
  }
  if (typeof States !== 'object' || States === null) return;
  for (const [name, state] of Object.entries(States as Record<string, State>)) {
    if (typeof state?.Type === 'string') types.set(name, state.Type);
    collect(state, types);
  }
}

export interface HistoryOptions {
  /** As {@link stateTypes} reads them from the definition. */
  readonly types: ReadonlyMap<string, string>;
  readonly region: string;
  readonly roleArn: string;
  /** Payloads are left out where not. */
  readonly hasData: boolean;
}

/** What every event of a call of `arn:aws:states:::lambda:invoke` says. */
const LAMBDA = { resourceType: 'lambda', resource: 'invoke' };
/** Which states are entered and never left. */
const NEVER_LEFT = 'Fail';

/**
 * The events of an execution: its start, every state entered, called, tried again and left, its end.
 *
 * @see https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
 */
export function findHistory(execution: ExecutionDescription, options: HistoryOptions): AwsObject[] {
  const started = {
    timestamp: execution.startedAt,
    type: 'ExecutionStarted',
    executionStartedEventDetails: { ...data('input', execution.input, options), roleArn: options.roleArn },
  };
  const calls = [...(execution.calls ?? [])];
  const visits = execution.entered.flatMap((visit) => visitEvents(visit, calls, options));
  const events = [started, ...visits, ...END[execution.status](execution, options)];
  return events.map((event, index) => ({ ...event, id: index + 1, previousEventId: index }));
}

/** @param calls those that are not told yet; the ones of this visit are taken out. */
function visitEvents(visit: StateVisit, calls: TaskCall[], options: HistoryOptions): AwsObject[] {
  const { state, at, input, exit, retries = 0 } = visit;
  const type = options.types.get(state) ?? 'Task';
  const entered = {
    timestamp: at,
    type: `${type}StateEntered`,
    stateEnteredEventDetails: { name: state, ...data('input', input, options) },
  };
  // As many as the visit had: what comes behind belongs to a later one.
  const own = type === 'Task' ? takeCalls(calls, state, 1 + retries) : [];
  const exited = exit &&
    type !== NEVER_LEFT && {
      timestamp: exit.at,
      type: `${type}StateExited`,
      stateExitedEventDetails: { name: state, ...data('output', exit.output, options) },
    };
  return [entered, ...own.flatMap((call) => callEvents(call, options)), ...(exited ? [exited] : [])];
}

function takeCalls(calls: TaskCall[], state: string, max: number): TaskCall[] {
  const taken = calls.filter((call) => call.state === state).slice(0, max);
  for (const call of taken) calls.splice(calls.indexOf(call), 1);
  return taken;
}

function callEvents({ at, parameters, end }: TaskCall, options: HistoryOptions): AwsObject[] {
  const scheduled = { ...LAMBDA, region: options.region, parameters: options.hasData ? parameters : '{}' };
  return [
    { timestamp: at, type: 'TaskScheduled', taskScheduledEventDetails: scheduled },
    { timestamp: at, type: 'TaskStarted', taskStartedEventDetails: LAMBDA },
    ...(end ? [endOfCall(end, options)] : []),
  ];
}

function endOfCall(end: NonNullable<TaskCall['end']>, options: HistoryOptions): AwsObject {
  if ('output' in end) {
    const details = { ...LAMBDA, ...data('output', end.output, options) };
    return { timestamp: end.at, type: 'TaskSucceeded', taskSucceededEventDetails: details };
  }
  const { error, cause } = end;
  return {
    timestamp: end.at,
    type: 'TaskFailed',
    taskFailedEventDetails: { ...LAMBDA, ...(options.hasData && { error, cause }) },
  };
}

/** `{input, inputDetails}`, as events carry a payload. */
function data(name: 'input' | 'output', payload: string | undefined, { hasData }: HistoryOptions): AwsObject {
  return hasData && payload !== undefined ? { [name]: payload, [`${name}Details`]: { truncated: false } } : {};
}

type Ended = (execution: ExecutionDescription, options: HistoryOptions) => AwsObject[];

const ended = (type: string, member: string, details: (...of: Parameters<Ended>) => AwsObject): Ended => {
  return (execution, options) => [
    { timestamp: execution.stoppedAt ?? execution.startedAt, type, [member]: details(execution, options) },
  ];
};
const blame = ({ error, cause }: ExecutionDescription, { hasData }: HistoryOptions): AwsObject =>
  hasData ? { error, cause } : {};

const END: Record<ExecutionStatus, Ended> = {
  RUNNING: () => [],
  SUCCEEDED: ended('ExecutionSucceeded', 'executionSucceededEventDetails', ({ output }, options) =>
    data('output', output, options),
  ),
  FAILED: ended('ExecutionFailed', 'executionFailedEventDetails', blame),
  TIMED_OUT: ended('ExecutionTimedOut', 'executionTimedOutEventDetails', blame),
  ABORTED: ended('ExecutionAborted', 'executionAbortedEventDetails', blame),
};

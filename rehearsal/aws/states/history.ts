import { ExecutionDescription, ExecutionStatus } from '../../state-machine/model';
import { WireObject } from '../operation';

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

/**
 * The history as far as the model knows it: the start, every state entered, the end.
 *
 * @param types as {@link stateTypes} reads them from the definition.
 */
export function historyOf(execution: ExecutionDescription, types: ReadonlyMap<string, string>): WireObject[] {
  const started = {
    timestamp: execution.startedAt,
    type: 'ExecutionStarted',
    executionStartedEventDetails: { input: execution.input },
  };
  const entered = execution.entered.map(({ state, at }) => ({
    timestamp: at,
    type: `${types.get(state) ?? 'Task'}StateEntered`,
    stateEnteredEventDetails: { name: state },
  }));
  const events = [started, ...entered, ...END[execution.status](execution)];
  return events.map((event, index) => ({ ...event, id: index + 1, previousEventId: index }));
}

const ended = (type: string, member: string, details: (execution: ExecutionDescription) => WireObject) => {
  return (execution: ExecutionDescription): WireObject[] => [
    { timestamp: execution.stoppedAt ?? execution.startedAt, type, [member]: details(execution) },
  ];
};
const blame = ({ error, cause }: ExecutionDescription): WireObject => ({ error, cause });

const END: Record<ExecutionStatus, (execution: ExecutionDescription) => WireObject[]> = {
  RUNNING: () => [],
  SUCCEEDED: ended('ExecutionSucceeded', 'executionSucceededEventDetails', ({ output }) => ({ output })),
  FAILED: ended('ExecutionFailed', 'executionFailedEventDetails', blame),
  TIMED_OUT: ended('ExecutionTimedOut', 'executionTimedOutEventDetails', blame),
  ABORTED: ended('ExecutionAborted', 'executionAbortedEventDetails', blame),
};

import { ExecutionDescription, TaskCall } from './model';

/** Of an event of the library, what goes on record. */
export interface RecordedEvent {
  readonly type: string;
  readonly timestamp: number;
  readonly state?: { readonly name: string; readonly type: string; readonly input: unknown; readonly output?: unknown };
}

/** Writes down that a state was entered, tried again or left. */
export function recordVisit({ entered }: ExecutionDescription, { type, timestamp, state }: RecordedEvent): void {
  if (!state) return;
  const at = new Date(timestamp);
  if (type === 'StateEntered') {
    entered.push({ state: state.name, at, input: json(state.input) });
    return;
  }
  const visit = entered.findLast((each) => each.state === state.name && !each.exit);
  if (!visit) return;
  if (type === 'StateRetried') visit.retries = (visit.retries ?? 0) + 1;
  if (type === 'StateExited') visit.exit = { at, output: json(state.output) };
}

/** Calls a task, and writes down how that went. @throws what it throws */
export async function recorded<T>(
  { calls }: ExecutionDescription,
  state: string,
  parameters: unknown,
  work: () => Promise<T>,
): Promise<T> {
  const call: TaskCall = { state, at: new Date(), parameters: json(parameters) };
  calls?.push(call);
  try {
    const output = await work();
    call.end = { at: new Date(), output: json(output) };
    return output;
  } catch (error) {
    const { name, message } = error as Error;
    call.end = { at: new Date(), error: name, cause: message };
    throw error;
  }
}

function json(value: unknown): string {
  return JSON.stringify(value) ?? 'null';
}

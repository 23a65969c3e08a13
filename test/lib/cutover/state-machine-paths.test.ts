import { StateMachine } from 'aws-local-stepfunctions';
import { withTimeoutPaths } from '../../../rehearsal/state-machine/runner';
import { CutoverError } from '../../../core/errors/errors';
import { defaultMigration, findDefinition } from '../fixture';

type Run = Record<string, string | number | null>;
type Responses = Readonly<Record<string, (run: Run, visit: number) => Run>>;

const definition = findDefinition(defaultMigration());

/** Runs the synthesized definition with steps that respond as told, and `go` otherwise. */
async function walk(responses: Responses): Promise<{ steps: string; end: string }> {
  // Longer than a timer of Node can be.
  const untimed = withTimeoutPaths({ ...definition, TimeoutSeconds: undefined });
  const steps: string[] = [];
  const names = (type: string) =>
    Object.keys(definition.States).filter((name) => definition.States[name]?.Type === type);
  const handler = (name: string) => (input: unknown) => {
    const visit = steps.filter((step) => step === name).length;
    steps.push(name);
    const response = responses[name] ?? ((run: Run) => ({ ...run, verdict: 'go', waitSeconds: 1, taskSeconds: 100 }));
    return Promise.resolve().then(() => ({ Payload: response((input as { Payload: Run }).Payload, visit) }));
  };
  const machine = new StateMachine(untimed as ConstructorParameters<typeof StateMachine>[0]);
  const execution = machine.run(
    {},
    {
      context: { Execution: { Id: 'arn', Name: 'walk', StartTime: '2026-01-01T00:00:00Z' } },
      overrides: {
        taskResourceLocalHandlers: Object.fromEntries(names('Task').map((name) => [name, handler(name)])),
        waitTimeOverrides: Object.fromEntries(names('Wait').map((name) => [name, 1])),
      },
    },
  );
  const end = await execution.result.then(() => 'Completed', computeEnd);
  return { steps: steps.join(' '), end };
}

/** The Fail state's own error. */
function computeEnd(error: unknown): string {
  const { name, message } = (error as Error).cause as Error;
  return definition.States[name]?.Type === 'Fail' ? name : `${name}: ${message}`;
}

const say =
  (...verdicts: string[]) =>
  (run: Run, visit: number): Run => ({ ...run, verdict: verdicts[visit] ?? null, waitSeconds: 1 });

function raise(code: ConstructorParameters<typeof CutoverError>[0]): () => never {
  return () => {
    throw new CutoverError(code, 'as told');
  };
}

const ROLLED_BACK: Responses = {
  Rollback: say('wait', 'restored'),
  Record: (run) => ({ ...run, outcome: 'rolled-back', cause: 'as told' }),
};

test('two stages, with waits in each, complete', async () => {
  const responses = {
    Confirm: say('wait', 'confirmed', 'confirmed'),
    Bake: say('wait', 'nextStage', 'drain'),
    Drain: say('wait', 'drained'),
    Verify: say('wait', 'verified'),
  };
  expect(await walk(responses)).toEqual({
    steps: 'Lock Preflight Shift Confirm Confirm Bake Bake Shift Confirm Bake Drain Drain Verify Verify Complete',
    end: 'Completed',
  });
});

test('a person is asked before the first shift, which the checks come before and after, and before the last stage', async () => {
  const responses = {
    Preflight: say('approve', 'go'),
    Approve: say('wait', 'approved'),
    Confirm: say('confirmed', 'confirmed'),
    Bake: say('approve', 'drain'),
    ApproveLastStage: say('wait', 'approved'),
    Drain: say('drained'),
    Verify: say('verified'),
  };
  expect(await walk(responses)).toEqual({
    steps:
      'Lock Preflight Approve Approve Preflight Shift Confirm Bake ApproveLastStage ApproveLastStage Shift Confirm Bake Drain Verify Complete',
    end: 'Completed',
  });
});

test('a no before the first shift moves nothing, and rolls back before the last stage', async () => {
  const Record = (run: Run) => ({ ...run, outcome: 'refused', cause: 'as told' });
  expect(await walk({ Preflight: say('approve'), Approve: say('rollBack'), Record })).toEqual({
    steps: 'Lock Preflight Approve Record',
    end: 'Refused',
  });
  const late = { Confirm: say('confirmed'), Bake: say('approve'), ApproveLastStage: say('rollBack') };
  expect(await walk({ ...ROLLED_BACK, ...late })).toEqual({
    steps: 'Lock Preflight Shift Confirm Bake ApproveLastStage Rollback Rollback Record',
    end: 'RolledBack',
  });
});

test('a shift that will not move anything rolls back instead of being confirmed', async () => {
  expect(await walk({ ...ROLLED_BACK, Shift: say('rollBack') })).toEqual({
    steps: 'Lock Preflight Shift Rollback Rollback Record',
    end: 'RolledBack',
  });
});

test('a judgement against the target rolls back', async () => {
  expect(await walk({ ...ROLLED_BACK, Confirm: say('confirmed'), Bake: say('rollBack') })).toEqual({
    steps: 'Lock Preflight Shift Confirm Bake Rollback Rollback Record',
    end: 'RolledBack',
  });
});

test('a step that throws what no retry can fix rolls back at once', async () => {
  const responses = { ...ROLLED_BACK, Confirm: say('confirmed'), Bake: say('drain'), Drain: raise('DrainOverdue') };
  expect(await walk(responses)).toEqual({
    steps: 'Lock Preflight Shift Confirm Bake Drain Rollback Rollback Record',
    end: 'RolledBack',
  });
});

test.each<[string, Run]>([
  ['no verdict', { waitSeconds: 1 }],
  ['an unknown verdict', { verdict: 'perhaps', waitSeconds: 1 }],
  ['a wait without a time', { verdict: 'wait' }],
  ['a wait until some day', { verdict: 'wait', waitSeconds: 'soon' }],
])('%s rolls back instead of ending where it stands', async (_, response) => {
  expect(await walk({ ...ROLLED_BACK, Confirm: () => response })).toEqual({
    steps: 'Lock Preflight Shift Confirm Rollback Rollback Record',
    end: 'RolledBack',
  });
});

test('a held lock is left alone', async () => {
  expect(await walk({ Lock: raise('LockHeld') })).toEqual({ steps: 'Lock', end: 'NotStarted' });
});

test('a rejection by preflight is recorded, and nothing is moved', async () => {
  const Record = (run: Run) => ({ ...run, outcome: 'refused', cause: 'as told' });
  expect(await walk({ Preflight: raise('SmokeFailed'), Record })).toEqual({
    steps: 'Lock Preflight Record',
    end: 'Refused',
  });
});

test('a record without an outcome is a failure', async () => {
  expect(await walk({ Preflight: raise('SmokeFailed'), Record: () => ({}) })).toEqual({
    steps: 'Lock Preflight Record',
    end: 'NotRecorded',
  });
});

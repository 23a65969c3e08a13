import type { LocalCloud } from '../../../rehearsal/cloud/local-cloud';
import { OPERATOR_KEY_ID } from '../../../rehearsal/cloud/operator-key';
import type { ProgressReporter } from '../../../rehearsal/progress/progress-reporter';
import { approve } from '../../../rehearsal/run/approve';
import type { ExecutionDescription } from '../../../rehearsal/state-machine/model';

/** What a cutover that waits at its first gate makes of it: the lines that are printed, and the keys that are written. */
function ask(isAsked: boolean): { readonly lines: string[]; readonly keys: string[] } {
  const lines: string[] = [];
  const keys: string[] = [];
  const cloud = {
    model: { config: { storeBucket: 'store' }, stack: { name: 'Shop', region: 'us-east-1' } },
    endpoint: { url: 'http://127.0.0.1:4566' },
    objects: { find: () => undefined, put: (_bucket: string, key: string) => keys.push(key) },
  } as unknown as LocalCloud;
  const input = JSON.stringify({ execution: 'move-1', approval: { gate: 'firstShift' } });
  const execution = {
    name: 'move-1',
    status: 'RUNNING',
    entered: [{ state: 'Approve', at: new Date(), input }],
  } as unknown as ExecutionDescription;
  approve(execution, cloud, { step: (line: string) => lines.push(line) } as unknown as ProgressReporter, isAsked);
  return { lines, keys };
}

test('a person who is asked gets a command that works as it stands: with credentials, which a machine may not have', () => {
  const { lines, keys } = ask(true);
  expect(keys).toEqual([]);
  expect(lines).toEqual([
    `waits for your approval: AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_ACCESS_KEY_ID=${OPERATOR_KEY_ID} AWS_SECRET_ACCESS_KEY=rehearsal ` +
      'npx drainshift approve --stack Shop --region us-east-1 --execution move-1 --gate firstShift',
  ]);
});

test('where no person is asked the rehearsal approves', () => {
  const { lines, keys } = ask(false);
  expect(keys).toEqual(['approval/move-1/first-shift.json']);
  expect(lines).toEqual([
    "a person is asked to approve 'approval/move-1/first-shift.json' here: the rehearsal approves it",
  ]);
});

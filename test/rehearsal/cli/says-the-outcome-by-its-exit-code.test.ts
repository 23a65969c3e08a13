import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT_CODES } from '../../../core/errors/exit-codes';
import type { Outcome } from '../../../core/cutover/run';
import type { RedeployEvidence, RehearsalEvidence } from '../../../rehearsal/report/evidence';
import { chooseExitCode } from '../../../rehearsal/report/exit-code';
import { Recorder } from '../../../rehearsal/traffic/counting/recorder';

const HALF = { source: 50, target: 50 };
const redeployed: RedeployEvidence = { app: 'next', status: 'UPDATE_COMPLETE', applied: [], passedOver: [] };

const findCode = (
  outcome: Outcome,
  { failed = 0, redeploy }: { failed?: number; redeploy?: RedeployEvidence } = {},
) => {
  const recorder = new Recorder();
  recorder.http.failed = failed;
  const evidence = { outcome, traffic: recorder.tally(), rehearsal: { redeploy } };
  return chooseExitCode(evidence as unknown as RehearsalEvidence);
};

test.each<[string, Partial<RedeployEvidence>, number]>([
  ['kept the weights', { weightsBefore: HALF, weightsAfter: HALF }, 2],
  ['was rolled back', { status: 'UPDATE_ROLLBACK_COMPLETE', weightsBefore: HALF, weightsAfter: HALF }, 2],
  ['came while the cutover shifted', {}, 2],
  ['moved the weights', { weightsBefore: HALF, weightsAfter: { source: 100, target: 0 } }, 1],
  ['left none to read', { weightsBefore: HALF }, 1],
  ['could not be rolled back', { status: 'UPDATE_ROLLBACK_FAILED' }, 1],
])('a redeploy that %s', (_, redeploy, code) =>
  expect(findCode('rolled-back', { redeploy: { ...redeployed, ...redeploy } })).toBe(code),
);

test.each<[Outcome, number, number]>([
  ['completed', 0, 4],
  ['rolled-back', 2, 3],
  ['refused', 5, 5],
  ['failed', 6, 6],
])('%s: another code where something was lost', (outcome, whole, lossy) => {
  expect([findCode(outcome), findCode(outcome, { failed: 1 })]).toEqual([whole, lossy]);
});

test('the docs have every exit code, with its meaning', () => {
  const docs = readFileSync(join(__dirname, '../../../docs/errors.md'), 'utf8');
  const rows = [...docs.matchAll(/^\| (\d+) \| (.+) \|$/gm)].map(([, code, meaning]) => ({
    code: Number(code),
    meaning,
  }));
  expect(rows).toEqual(Object.values(EXIT_CODES));
});

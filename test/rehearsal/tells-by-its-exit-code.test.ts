import { EXIT, exitCode } from '../../rehearsal/command';
import type { Picture, RedeployEvidence } from '../../rehearsal/report/evidence';

const HALF = { source: 50, target: 50 };
const redeployed: RedeployEvidence = { app: 'next', status: 'UPDATE_COMPLETE', applied: [], passedOver: [] };

const codeOf = (redeploy: Partial<RedeployEvidence>) =>
  exitCode({
    evidence: { outcome: 'rolled-back', rehearsal: { redeploy: { ...redeployed, ...redeploy } } },
    samples: [],
  } as unknown as Picture);

test.each<[string, Partial<RedeployEvidence>, number]>([
  ['kept the weights', { weightsBefore: HALF, weightsAfter: HALF }, EXIT.rolledBack],
  ['was rolled back', { status: 'UPDATE_ROLLBACK_COMPLETE', weightsBefore: HALF, weightsAfter: HALF }, EXIT.rolledBack],
  ['came while the cutover shifted', {}, EXIT.rolledBack],
  ['moved the weights', { weightsBefore: HALF, weightsAfter: { source: 100, target: 0 } }, EXIT.noVerdict],
  ['left none to read', { weightsBefore: HALF }, EXIT.noVerdict],
  ['could not be rolled back', { status: 'UPDATE_ROLLBACK_FAILED' }, EXIT.noVerdict],
])('a redeploy that %s', (_, redeploy, code) => expect(codeOf(redeploy)).toBe(code));

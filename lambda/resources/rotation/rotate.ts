import { ADMIN_KEY_SECONDS } from '../../../core/proxy/admin-api';
import type { RotatedSecret, SecretHistory } from '../../contract/rotation-ports';

export const ROTATION_STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const;

/** What Secrets Manager calls a rotation function with. */
export interface RotationEvent {
  readonly Step: (typeof ROTATION_STEPS)[number];
  readonly SecretId: string;
  readonly ClientRequestToken: string;
}

/**
 * One step of a rotation. Each may be repeated. There is no server to give the new key to (`setSecret`) or to try it with
 * (`testSecret`): tasks and steps read it themselves, and know the one before it until they have.
 *
 * It does not remove AWSPENDING by a call of its own: to Secrets Manager that is a rotation that did not complete.
 *
 * @throws Error when the key changed so lately that a task may not have heard of it: of three keys it would know the oldest
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
 */
export async function rotate(event: RotationEvent, secret: RotatedSecret, nowMs: number): Promise<void> {
  const { Step: step, ClientRequestToken: token } = event;
  if (!ROTATION_STEPS.includes(step))
    throw new Error(`'Step' must be one of ${ROTATION_STEPS.join(', ')}, got '${step}'`);
  if (step === 'setSecret' || step === 'testSecret') return;
  const history = await secret.history();
  const current = history.versions.find(({ labels }) => labels.includes('AWSCURRENT'))?.id;
  if (current === token) return;
  // Also before the end: a person may have added a version since the rotation began.
  checkApart(token, history, nowMs);
  await (step === 'createSecret' ? secret.addPending(token) : secret.makeCurrent(token, current));
}

function checkApart(token: string, history: SecretHistory, nowMs: number): void {
  const changedMs = lastChangeMs(token, history);
  if (changedMs === undefined || nowMs - changedMs >= ADMIN_KEY_SECONDS.apart * 1000) return;
  const ageSeconds = Math.floor((nowMs - changedMs) / 1000);
  throw new Error(
    `The last rotation must be ${ADMIN_KEY_SECONDS.apart} s old before the next one, got ${ageSeconds} s`,
  );
}

/**
 * The latest moment at which a version is known to have become current; none where there has been no other than the first.
 * Secrets Manager tells when a version was made and when a rotation ended, but not when a label was moved. A revoked key has lost
 * its label, and is still a version.
 */
function lastChangeMs(token: string, { versions, lastRotatedMs }: SecretHistory): number | undefined {
  const others = versions.filter(({ id, labels }) => {
    return id !== token && (labels.includes('AWSCURRENT') || !labels.includes('AWSPENDING'));
  });
  if (others.length <= 1 && lastRotatedMs === undefined) return undefined;
  return Math.max(lastRotatedMs ?? 0, ...others.map(({ createdMs }) => createdMs));
}

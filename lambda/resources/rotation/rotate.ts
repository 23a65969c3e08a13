import { ADMIN_KEY_SECONDS } from '../../../core/proxy/admin-api';
import type { RotatedSecret } from '../../contract/rotation-ports';

export const ROTATION_STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const;

/** What Secrets Manager calls a rotation function with. */
export interface RotationEvent {
  readonly Step: (typeof ROTATION_STEPS)[number];
  readonly SecretId: string;
  readonly ClientRequestToken: string;
}

/**
 * One step of a rotation. Each may be repeated. There is nobody to give the new key to (`setSecret`) or to try it with
 * (`testSecret`): tasks and steps read it themselves, and know the one before it until they have.
 *
 * @throws Error when the last rotation is so young that a task may not have heard of it: of three keys it would know the oldest
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
 */
export async function rotate(event: RotationEvent, secret: RotatedSecret, nowMs: number): Promise<void> {
  const { Step: step, ClientRequestToken: token } = event;
  if (!ROTATION_STEPS.includes(step))
    throw new Error(`'Step' must be one of ${ROTATION_STEPS.join(', ')}, got '${step}'`);
  if (step === 'setSecret' || step === 'testSecret') return;
  const { labels, currentSinceMs } = await secret.versions();
  const current = versionAt('AWSCURRENT', labels);
  if (step === 'finishSecret') {
    if (current !== token) await secret.makeCurrent(token, current);
    // Left there it would look like a rotation that is not over, once somebody adds a version by hand.
    if (labels[token]?.includes('AWSPENDING')) await secret.settle(token);
    return;
  }
  if (current === token) return;
  const ageSeconds = Math.floor((nowMs - currentSinceMs) / 1000);
  if (versionAt('AWSPREVIOUS', labels) !== undefined && ageSeconds < ADMIN_KEY_SECONDS.apart) {
    throw new Error(
      `The last rotation must be ${ADMIN_KEY_SECONDS.apart} s old before the next one, got ${ageSeconds} s`,
    );
  }
  await secret.addPending(token);
}

function versionAt(label: string, labels: Readonly<Record<string, readonly string[]>>): string | undefined {
  return Object.keys(labels).find((id) => labels[id]?.includes(label));
}

import { rotatedSecret } from '../../adapters/rotated-secret';
import { RotationEvent, rotate } from './rotate';

/** Secrets Manager calls it for the secret that its role is about. */
export async function handler(event: RotationEvent): Promise<void> {
  await rotate(event, rotatedSecret(event.SecretId), Date.now());
}

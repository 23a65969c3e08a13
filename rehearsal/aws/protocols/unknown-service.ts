import { AwsError } from '../../errors/aws-error';

/** The error for a service that is not here; each protocol writes it in its own shape. */
export function unknownService(known: readonly string[], asked: string, code: string): AwsError {
  return new AwsError(code, `the service must be one that the rehearsal has (${known.join(', ')}), got ${asked}`, 404);
}

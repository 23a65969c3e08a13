/**
 * Reads the keys that a secret of Secrets Manager holds: its current version, and the one before it where there is one. Each is
 * the whole string of a version.
 *
 * Credentials and endpoint are those of the environment, as the AWS SDK finds them; in a task of ECS those of its role.
 *
 * @throws Error of the SDK when the current version cannot be read, or the one before it for another reason than that it is not
 *   there
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html#term_version
 */
export async function readSecretVersions(secretArn: string, stopped: AbortSignal): Promise<readonly string[]> {
  // It costs memory, and a deployment that keeps the key elsewhere does not need it.
  const { GetSecretValueCommand, ResourceNotFoundException, SecretsManagerClient } =
    await import('@aws-sdk/client-secrets-manager');
  const client = new SecretsManagerClient({ region: secretArn.split(':')[3], ...LIMITS });
  const abortSignal = AbortSignal.any([AbortSignal.timeout(READ_MS), stopped]);
  const read = async (VersionStage: string) => {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretArn, VersionStage }), {
      abortSignal,
    });
    if (SecretString === undefined)
      throw new Error(`${VersionStage} of secret '${secretArn}' must be a string, got none`);
    return SecretString;
  };
  try {
    const current = await read('AWSCURRENT');
    const previous = await read('AWSPREVIOUS').catch((error: unknown) => {
      // A secret that was never rotated, or whose old key was revoked.
      if (error instanceof ResourceNotFoundException) return undefined;
      throw error;
    });
    return previous === undefined || previous === current ? [current] : [current, previous];
  } finally {
    client.destroy();
  }
}

const READ_MS = 20_000;
const LIMITS = { maxAttempts: 3, requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000 } } as const;

import { S3Client } from '@aws-sdk/client-s3';
import { SignatureV4 } from '@smithy/signature-v4';

/** As the libraries of AWS have it: the broker ends the session of a client that does not log in again by then. */
const TOKEN_SECONDS = 900;

/**
 * A token by which MSK knows a client: a URL that is signed with the credentials of the environment, as the AWS SDK finds them.
 *
 * @param region of the cluster. Undefined: that of the environment
 * @throws Error when there are no credentials, or no region
 * @see https://github.com/aws/aws-msk-iam-sasl-signer-js
 */
export async function createMskToken(region: string | undefined): Promise<string> {
  // Any client knows them.
  const { config } = new S3Client(region === undefined ? {} : { region });
  const signedFor = await config.region();
  const hostname = `kafka.${signedFor}.amazonaws.com`;
  const { credentials, sha256 } = config;
  const signer = new SignatureV4({ service: 'kafka-cluster', region: signedFor, credentials, sha256 });
  const { query = {} } = await signer.presign(
    {
      ...{ method: 'GET', protocol: 'https:', hostname, path: '/' },
      query: { Action: 'kafka-cluster:Connect' },
      headers: { host: hostname },
    },
    { expiresIn: TOKEN_SECONDS },
  );
  const url = new URL(`https://${hostname}/`);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
  url.searchParams.set('User-Agent', 'drainshift');
  return Buffer.from(url.href).toString('base64url');
}

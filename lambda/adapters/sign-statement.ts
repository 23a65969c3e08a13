import { S3Client } from '@aws-sdk/client-s3';
import { SignatureV4 } from '@smithy/signature-v4';
import { STATEMENT_HEADER, STATEMENT_QUERY, STATEMENT_SECONDS, Statement } from '../../core/approval/statement';
import { CLIENT_CONFIG } from './client/client-config';
import { stsUrl } from './identity';

/**
 * Signs a statement with the credentials and for the region of the caller, as the SDK finds them; sends nothing to STS.
 *
 * @throws Error when there are none
 */
export async function signStatement(says: string): Promise<Statement> {
  // Any client knows them.
  const { config } = new S3Client(CLIENT_CONFIG);
  const region = await config.region();
  const { host, hostname, protocol, port } = stsUrl(region);
  const signer = new SignatureV4({ credentials: config.credentials, region, service: 'sts', sha256: config.sha256 });
  const { query = {} } = await signer.presign(
    {
      method: 'GET',
      protocol,
      hostname,
      ...(port !== '' && { port: Number(port) }),
      path: '/',
      query: STATEMENT_QUERY,
      headers: { host, [STATEMENT_HEADER]: says },
    },
    { expiresIn: STATEMENT_SECONDS },
  );
  const text = (name: string) => String(query[name]);
  const token = query['X-Amz-Security-Token'];
  return {
    says,
    host,
    credential: text('X-Amz-Credential'),
    date: text('X-Amz-Date'),
    expires: STATEMENT_SECONDS,
    ...(token !== undefined && { token: String(token) }),
    signature: text('X-Amz-Signature'),
  };
}

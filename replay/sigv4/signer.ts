import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { OutgoingRequest } from '../../core/replay/outgoing';

type Bytes = string | ArrayBuffer | ArrayBufferView;

/** SHA-256 as the signer wants it. */
class Sha256 {
  private readonly hash;

  constructor(secret?: Bytes) {
    this.hash = secret === undefined ? createHash('sha256') : createHmac('sha256', toBuffer(secret));
  }

  update(data: Bytes): void {
    this.hash.update(toBuffer(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.hash.digest());
  }
}

function toBuffer(data: Bytes): Buffer {
  if (typeof data === 'string') return Buffer.from(data);
  return ArrayBuffer.isView(data) ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.from(data);
}

/**
 * Signs requests anew, with the credentials of the environment.
 *
 * @param service `es`, `aoss`, `execute-api`
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
 */
export async function openSigner(
  service: string,
  region: string,
): Promise<(request: OutgoingRequest) => Promise<OutgoingRequest>> {
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
  const signer = new SignatureV4({ service, region, credentials: defaultProvider(), sha256: Sha256 });
  return async (request) => {
    const url = new URL(request.path, 'http://target');
    const query: Record<string, string | string[]> = {};
    for (const name of new Set(url.searchParams.keys())) query[name] = url.searchParams.getAll(name);
    const kept = request.headers.filter(([name]) => !OF_SIGNATURE.test(name));
    const host = kept.find(([name]) => name.toLowerCase() === 'host')?.[1] ?? '';
    const signed = await signer.sign({
      method: request.method,
      protocol: 'https:',
      hostname: host,
      path: url.pathname,
      query,
      // What a proxy on the way may change is not signed.
      headers: Object.fromEntries(
        kept.filter(([name]) => SIGNED.test(name)).map(([name, value]) => [name.toLowerCase(), value]),
      ),
      body: request.body,
    });
    const added = Object.entries(signed.headers).filter(([name]) => OF_SIGNATURE.test(name));
    return { ...request, headers: [...kept, ...added] };
  };
}

const OF_SIGNATURE = /^(authorization|x-amz-date|x-amz-security-token|x-amz-content-sha256)$/i;
const SIGNED = /^(host|content-type|x-amz-.*)$/i;

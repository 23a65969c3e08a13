import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import type { S3Client } from '@aws-sdk/client-s3';
import { SignatureV4 } from '@smithy/signature-v4';

/** A request as the SDK sent it. */
interface SentRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What is the same for the next object. */
interface Template {
  readonly sent: SentRequest;
  /** Before the name of an object; encoded. */
  readonly folder: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signer: SignatureV4;
}

/** The SDK's, as it is in Node. */
interface HttpHandler {
  handle(
    request: object,
    options: { readonly abortSignal: AbortSignal },
  ): Promise<{
    readonly response: { readonly statusCode: number; readonly body: Readable };
  }>;
}

/** What depends neither on the object nor on the time. */
const KEPT = /^(host|user-agent|content-type|x-amz-sdk-checksum-algorithm)$/i;
/** Of a bucket whose requests are signed one by one; directory buckets have sessions. */
const SCOPE = /\bCredential=[^/]+\/\d{8}\/([^/]+)\/s3\/aws4_request\b/;

/**
 * Adds objects to a bucket. The SDK sends the first one, as it finds endpoint, region and credentials. Those that follow are the same
 * request with another name and body, signed by its signer and sent by its HTTP handler: a third of the time of a call of the SDK, and
 * clients wait for it. One that does not succeed is sent again by the SDK, which knows errors, clocks and expired credentials.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
 */
export class ObjectPutter {
  private template: Template | undefined;

  /** @param prefix of all names */
  constructor(
    private readonly sdk: typeof import('@aws-sdk/client-s3'),
    private readonly client: S3Client,
    private readonly bucket: string,
    private readonly prefix: string,
  ) {}

  /** @param name of characters that a path has as they are. @throws Error of the SDK */
  async put(name: string, body: Buffer, signal: AbortSignal): Promise<void> {
    const { template } = this;
    if (template && (await this.putAlike(template, name, body, signal))) return;
    await this.putFirst(name, body, signal);
  }

  private async putFirst(name: string, body: Buffer, abortSignal: AbortSignal): Promise<void> {
    const { bucket: Bucket, client, prefix, sdk } = this;
    const command = new sdk.PutObjectCommand({
      ...{ Bucket, Key: `${prefix}${name}`, Body: body },
      ...{ ContentType: 'application/gzip', ChecksumAlgorithm: 'CRC32' },
    });
    let sent: SentRequest | undefined;
    command.middlewareStack.add(
      (next) => (args) => {
        sent = args.request as SentRequest;
        return next(args);
      },
      { step: 'deserialize', priority: 'low', name: 'keepsWhatIsSent' },
    );
    await client.send(command, { abortSignal });
    this.template = sent && this.describe(sent, name);
  }

  /** @returns undefined of a request that says nothing about the next one */
  private describe(sent: SentRequest, name: string): Template | undefined {
    const { credentials, sha256 } = this.client.config;
    const region = SCOPE.exec(sent.headers['authorization'] ?? '')?.[1];
    if (region === undefined || !sent.path.endsWith(name)) return undefined;
    const headers = Object.fromEntries(Object.entries(sent.headers).filter(([field]) => KEPT.test(field)));
    const signer = new SignatureV4({ service: 's3', region, credentials, sha256, uriEscapePath: false });
    return { sent, folder: sent.path.slice(0, -name.length), headers, signer };
  }

  /** @returns whether it is there. @throws Error where there was no response */
  private async putAlike(template: Template, name: string, body: Buffer, abortSignal: AbortSignal): Promise<boolean> {
    const { folder, headers, sent, signer } = template;
    const { requestHandler, systemClockOffset } = this.client.config;
    const { protocol, hostname, port } = sent;
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32BE(crc32(body));
    const signed = await signer.sign(
      {
        ...{ method: 'PUT', protocol, hostname, ...(port !== undefined && { port }), path: `${folder}${name}`, body },
        headers: {
          ...headers,
          'content-length': String(body.length),
          'x-amz-checksum-crc32': checksum.toString('base64'),
        },
      },
      { signingDate: new Date(Date.now() + systemClockOffset) },
    );
    const handler = requestHandler as unknown as HttpHandler;
    const { response } = await handler.handle(signed, { abortSignal });
    // Its connection is of use again when all of it is read.
    await finished(response.body.resume(), { writable: false });
    return response.statusCode === 200;
  }
}

import { X509Certificate, createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { IncomingMessage, Server, createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import type { CustomResourceEvent } from '../../../../lambda/resources/custom-resource';

export const ACCOUNT = '111122223333';
export const STACK_ID = `arn:aws:cloudformation:eu-central-1:${ACCOUNT}:stack/shop/0123`;

interface Tag {
  readonly Key: string;
  readonly Value: string;
}

interface Stored {
  readonly type: 'IMPORTED' | 'AMAZON_ISSUED';
  certificate: string;
  readonly tags: readonly Tag[];
}

interface Input {
  readonly CertificateArn?: string;
  readonly Certificate?: string;
  readonly PrivateKey?: string;
  readonly Tags?: readonly Tag[];
  readonly NextToken?: string;
}

class AcmError extends Error {
  constructor(override readonly name: string) {
    super(name);
  }
}

/** As much of AWS Certificate Manager as the owner of a certificate meets, and the place that its responses go to. */
export class CertificateSetup {
  readonly certificates = new Map<string, Stored>();
  readonly calls: string[] = [];
  readonly responses: { Status: string; Reason: string; PhysicalResourceId: string }[] = [];
  /** Every key that came, as it came. */
  readonly keys: string[] = [];
  /** How many more deletions meet somebody who still uses the certificate. */
  inUse = 0;

  private readonly server: Server = createServer((request, response) => {
    void this.handle(request).then(({ status, body }) => response.writeHead(status).end(JSON.stringify(body)));
  });

  async start(): Promise<void> {
    await once(this.server.listen(0, '127.0.0.1'), 'listening');
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: this.url,
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'LAMBDA',
      AWS_SECRET_ACCESS_KEY: 'none',
    });
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  event(type: CustomResourceEvent['RequestType'], over: Partial<CustomResourceEvent> = {}): CustomResourceEvent {
    return {
      RequestType: type,
      ResponseURL: `${this.url}/answer?signature=secret`,
      StackId: STACK_ID,
      RequestId: 'request-1',
      LogicalResourceId: 'Own0123',
      ResourceProperties: properties(),
      ...over,
    };
  }

  x509(arn: string | undefined): X509Certificate {
    return new X509Certificate(this.certificates.get(arn ?? '')?.certificate ?? '');
  }

  private async handle(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
    if (request.method === 'PUT') {
      this.responses.push(body as CertificateSetup['responses'][number]);
      return { status: 200, body: {} };
    }
    const action = String(request.headers['x-amz-target']).replace('CertificateManager.', '');
    this.calls.push(action);
    try {
      return { status: 200, body: this.act(action, body as Input) };
    } catch (error) {
      if (!(error instanceof AcmError)) throw error;
      return { status: 400, body: { __type: error.name, message: error.name } };
    }
  }

  private act(action: string, input: Input): unknown {
    switch (action) {
      case 'ImportCertificate':
        return { CertificateArn: this.import(input) };
      case 'DescribeCertificate':
        return { Certificate: { NotAfter: Date.parse(pem(this.of(input)).validTo) / 1000 } };
      case 'ListTagsForCertificate':
        return { Tags: this.of(input).tags };
      case 'ListCertificates':
        return this.list(input.NextToken);
      case 'DeleteCertificate':
        this.tagged(input);
        if (this.inUse-- > 0) throw new AcmError('ResourceInUseException');
        this.certificates.delete(input.CertificateArn ?? '');
        return {};
      default:
        throw new AcmError('UnknownOperationException');
    }
  }

  /** As ACM does, it takes only a key that fits, and tags only for a new one. */
  private import({ CertificateArn, Certificate = '', PrivateKey = '', Tags }: Input): string {
    const [certificate, key] = [Certificate, PrivateKey].map((text) => Buffer.from(text, 'base64').toString()) as [
      string,
      string,
    ];
    this.keys.push(key);
    const fits = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
    if (!fits || (CertificateArn && Tags)) throw new AcmError('ValidationException');
    if (CertificateArn) {
      this.tagged({ CertificateArn }).certificate = certificate;
      return CertificateArn;
    }
    return this.put('IMPORTED', certificate, Tags ?? []);
  }

  put(type: Stored['type'], certificate: string, tags: readonly Tag[]): string {
    const arn = `arn:aws:acm:eu-central-1:${ACCOUNT}:certificate/${this.certificates.size + 1}`;
    this.certificates.set(arn, { type, certificate, tags });
    return arn;
  }

  /** One a page, so that paging counts. */
  private list(token: string | undefined): unknown {
    const index = Number(token ?? 0);
    const found = [...this.certificates][index];
    if (!found) return { CertificateSummaryList: [] };
    const [CertificateArn, stored] = found;
    const DomainName = /CN=(.*)/.exec(pem(stored).subject)?.[1];
    return {
      CertificateSummaryList: [{ CertificateArn, DomainName, Type: stored.type }],
      NextToken: String(index + 1),
    };
  }

  /** For what is allowed by the tags of a certificate: one that is gone has none. */
  private tagged(input: Input): Stored {
    if (!this.certificates.has(input.CertificateArn ?? '')) throw new AcmError('AccessDeniedException');
    return this.of(input);
  }

  private of({ CertificateArn }: Input): Stored {
    const stored = this.certificates.get(CertificateArn ?? '');
    if (!stored) throw new AcmError('ResourceNotFoundException');
    return stored;
  }
}

function pem({ certificate }: Stored): X509Certificate {
  return new X509Certificate(certificate);
}

/** As CloudFormation hands them over: every number as text. */
export function properties(over: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    ServiceToken: 'arn:lambda',
    DomainName: 'shop.internal',
    SubjectAlternativeNames: ['*.shop.internal'],
    ValidityDays: '365',
    ...over,
  };
}

export const CONTEXT = { getRemainingTimeInMillis: () => 240_000 };

/** A world, and what is written to standard output from now on. */
export async function startLocalCloud(): Promise<{ cloud: CertificateSetup; written: string[] }> {
  const cloud = new CertificateSetup();
  const written: string[] = [];
  await cloud.start();
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  return { cloud, written };
}

export async function stopLocalCloud(cloud: CertificateSetup): Promise<void> {
  jest.restoreAllMocks();
  await cloud.stop();
}

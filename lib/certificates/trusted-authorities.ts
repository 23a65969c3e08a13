import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { SecretValue } from 'aws-cdk-lib';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { parseCertificates } from '../../core/validation/pem';
import { acknowledge } from '../validation/nag-suppressions';
import { checkNames } from '../validation/known-props';
import { createSecret } from '../shared/encryption';
import { reject } from '../validation/validation';

export interface TrustedAuthoritiesProps {
  /** The path of a PEM file with the certificates of the authorities, without a key; 64 KiB at most. */
  readonly file: string;

  /**
   * The key of KMS that encrypts the secret.
   * @default - that of Secrets Manager
   */
  readonly encryptionKey?: IKey;
}

/** What Secrets Manager keeps in one secret. */
const MAX_BYTES = 65_536;

/**
 * Authorities of your own out of a file, for smoke requests and for `https://` backends. Certificates are no secret, and yet
 * they are kept as one: it is read where an image or a function has no room for a file, through the endpoint that is needed
 * anyway. Where you have such a secret already, pass that one.
 *
 * @example
 * const authorities = new TrustedAuthorities(this, 'Authorities', { file: 'certificates/company.pem' });
 * new Cutover(this, 'Cutover', {
 *   vpc,
 *   loadBalancer,
 *   source: sourceProxies,
 *   target: targetProxies,
 *   adminSecret: adminSecret.secret,
 *   domainName: 'shop.internal',
 *   trustedAuthorities: authorities.secret,
 * });
 */
export class TrustedAuthorities extends Construct {
  /** Its whole string is the file. */
  public readonly secret: Secret;

  constructor(scope: Construct, id: string, props: TrustedAuthoritiesProps) {
    super(scope, id);
    checkNames('TrustedAuthoritiesProps', props);
    const { file } = props;
    const pem = readText(file);
    checkPem(file, pem);
    this.secret = createSecret(this, 'Secret', {
      encryptionKey: props.encryptionKey,
      description: 'The certificates of the authorities that a migration trusts',
      // Nothing in it is secret.
      secretStringValue: SecretValue.unsafePlainText(pem),
    });
    acknowledge(this, 'authorities');
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return reject('file', 'the path of a readable file', `'${file}'`);
  }
}

function checkPem(file: string, pem: string): void {
  const bytes = Buffer.byteLength(pem);
  if (bytes > MAX_BYTES) reject('file', `a PEM file of at most ${MAX_BYTES} bytes`, `'${file}' with ${bytes}`);
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) reject('file', 'a PEM file without a private key', `'${file}'`);
  if (!parseCertificates(pem, (block) => new X509Certificate(block))) {
    reject('file', 'a PEM file with certificates', `'${file}'`);
  }
}

import { IKey } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledged-rules';
import { createSecret } from './encryption';

export interface AdminSecretProps {
  /**
   * The key of KMS that encrypts it.
   * @default - that of Secrets Manager
   */
  readonly encryptionKey?: IKey;
}

/**
 * The key that signs the calls to the admin API of every proxy; generated, and known to the proxies and the cutover
 * alone. The whole string of the secret is the key.
 *
 * @example
 * const adminSecret = new AdminSecret(this, 'AdminSecret');
 */
export class AdminSecret extends Construct {
  public readonly secret: Secret;

  constructor(scope: Construct, id: string, props?: AdminSecretProps) {
    super(scope, id);
    this.secret = createSecret(this, 'Secret', {
      description: 'Signs the calls to the admin API of the proxies',
      encryptionKey: props?.encryptionKey,
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
    });
    acknowledge(this, 'generatedSecret');
  }
}

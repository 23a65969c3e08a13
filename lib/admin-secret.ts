import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledged-rules';

/**
 * The key that signs the calls to the admin API of every proxy; generated, and known to the proxies and the cutover
 * alone. The whole string of the secret is the key.
 *
 * @example
 * const adminSecret = new AdminSecret(this, 'AdminSecret');
 */
export class AdminSecret extends Construct {
  public readonly secret: Secret;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.secret = new Secret(this, 'Secret', {
      description: 'Signs the calls to the admin API of the proxies',
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
    });
    acknowledge(this, 'generatedSecret');
  }
}

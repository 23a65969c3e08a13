import { Duration } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { Architecture, Code, Function, Runtime } from 'aws-cdk-lib/aws-lambda';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { RotationSchedule, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { acknowledge } from '../validation/nag-suppressions';
import { checkNames } from '../validation/known-props';
import { lambdaAsset } from '../shared/assets';
import { createLogGroup, createSecret, letDecrypt, letEncrypt } from '../shared/encryption';
import { reject } from '../validation/validation';
import { trustOwnAccountOnly } from '../shared/trusted-services';

export interface AdminSecretProps {
  /**
   * The key of KMS that encrypts it.
   * @default - that of Secrets Manager
   */
  readonly encryptionKey?: IKey;
}

export interface AdminSecretRotationOptions {
  /**
   * How often it is rotated: whole hours from 4 to 23, or whole days from 1 to 999; `Duration.days(0)`: only on
   * request.
   * @default Duration.days(30)
   */
  readonly automaticallyAfter?: Duration;

  /**
   * How long the log of the rotations is kept.
   * @default RetentionDays.THREE_MONTHS
   */
  readonly logRetention?: RetentionDays;
}

const FUNCTION_TIMEOUT = Duration.seconds(30);

/**
 * The key that signs the calls to the admin API of every proxy; generated, and known to the proxies and the cutover
 * alone. The whole string of the secret is the key. Proxies and cutover also know the key before it, so that it can be
 * rotated at any time, in a cutover too.
 *
 * @example
 * const adminSecret = new AdminSecret(this, 'AdminSecret');
 * adminSecret.addRotation();
 */
export class AdminSecret extends Construct {
  public readonly secret: Secret;

  private readonly encryptionKey?: IKey;

  constructor(scope: Construct, id: string, props?: AdminSecretProps) {
    super(scope, id);
    checkNames('AdminSecretProps', props);
    this.encryptionKey = props?.encryptionKey;
    this.secret = createSecret(this, 'Secret', {
      description: 'Signs the calls to the admin API of the proxies',
      encryptionKey: this.encryptionKey,
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
    });
    acknowledge(this, 'generatedSecret');
  }

  /**
   * Has Secrets Manager rotate it: now and then, and when it is asked to (`aws secretsmanager rotate-secret`). Nothing is
   * restarted, and a cutover that runs goes on. A rotation within 15 minutes of the one before, or of a new version by hand, is
   * rejected. Once at most.
   *
   * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html
   */
  public addRotation(options: AdminSecretRotationOptions = {}): RotationSchedule {
    checkNames('AdminSecretRotationOptions', options);
    const { encryptionKey } = this;
    const { automaticallyAfter = Duration.days(30), logRetention = RetentionDays.THREE_MONTHS } = options;
    checkInterval(automaticallyAfter);
    const rotation = new Construct(this, 'Rotation');
    acknowledge(rotation, 'rotation');
    trustOwnAccountOnly(rotation);
    // Not in a network: it calls Secrets Manager alone.
    const rotationLambda = new Function(rotation, 'Function', {
      description: 'Rotates the key of the admin API of the proxies',
      code: Code.fromAsset(lambdaAsset()),
      handler: 'index.rotation',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: 256,
      timeout: FUNCTION_TIMEOUT,
      logGroup: createLogGroup(rotation, 'Log', { retention: logRetention, encryptionKey }),
    });
    // When the key changed last, which what the CDK grants to a rotation does not tell.
    rotationLambda.addToRolePolicy(
      new PolicyStatement({
        actions: ['secretsmanager:ListSecretVersionIds'],
        resources: [this.secret.secretArn],
      }),
    );
    letDecrypt(rotationLambda, this.secret.encryptionKey);
    letEncrypt(rotationLambda, this.secret.encryptionKey);
    return this.secret.addRotationSchedule('Rotation', {
      rotationLambda,
      automaticallyAfter,
      // Deploying it is no reason to rotate.
      rotateImmediatelyOnUpdate: false,
    });
  }
}

const MIN_HOURS = 4;
const MAX_DAYS = 999;

/**
 * The CDK writes other intervals as well, which Secrets Manager rejects at the deployment.
 *
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
 */
function checkInterval(interval: Duration): void {
  if (interval.isUnresolved()) reject('automaticallyAfter', 'known at synthesis', 'a token');
  const hours = interval.toMilliseconds() / 3_600_000;
  const days = hours / 24;
  const isHours = Number.isInteger(hours) && hours >= MIN_HOURS && hours < 24;
  const isDays = Number.isInteger(days) && days <= MAX_DAYS;
  if (isHours || isDays) return;
  reject(
    'automaticallyAfter',
    `whole hours from ${MIN_HOURS} to 23, or whole days from 1 to ${MAX_DAYS} (0: on request)`,
    interval.toHumanString(),
  );
}

import { CustomResource, Duration, Stack } from 'aws-cdk-lib';
import { Certificate, ICertificate } from 'aws-cdk-lib/aws-certificatemanager';
import { Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Architecture, Code, Function, Runtime } from 'aws-cdk-lib/aws-lambda';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { LOGICAL_ID_TAG, STACK_TAG } from '../../core/traffic/weighted-rule';
import { acknowledge } from '../validation/nag-suppressions';
import { checkNames } from '../validation/known-props';
import { lambdaAsset } from '../shared/assets';
import { encryptSharedLog } from '../shared/encryption';
import { checkDuration, reject, isLater } from '../validation/validation';
import { trustOwnAccountOnly } from '../shared/trusted-services';

export interface SelfSignedCertificateProps {
  /** The name that clients use; its first label may be `*`. */
  readonly domainName: string;

  /**
   * Further names.
   * @default - none
   */
  readonly subjectAlternativeNames?: string[];

  /**
   * How long each certificate is good for, in whole days: from a week to 825 days. A new one takes its place when a third
   * of that time is left.
   * @default Duration.days(365)
   */
  readonly validity?: Duration;

  /**
   * The key of KMS that encrypts the log of the function that makes it. The certificates of a stack share that log, and with it
   * the first key that one of them has.
   * @default - that of CloudWatch Logs
   */
  readonly encryptionKey?: IKey;
}

/** Some clients reject longer ones, whichever authority signed them. */
const VALIDITY = { min: Duration.days(7), max: Duration.days(825) } as const;
const FUNCTION_TIMEOUT = Duration.minutes(4);
/** The least memory that Lambda accepts. */
const MAX_EVENT_AGE = Duration.minutes(1);
/** Longer than an event may be queued and the function may then run: nothing is done once CloudFormation has given up. */
const SERVICE_TIMEOUT = Duration.minutes(6);

/**
 * A certificate that no authority has signed, for clients that are made to trust it: behind a front that does not check
 * it, or for a trial. A function makes key and certificate and gives them to AWS Certificate Manager; the key is neither
 * kept nor logged. It is renewed under the same ARN before it ends, and deleted with the stack.
 *
 * Every renewal makes a new key and a new certificate: a client that trusts it by its file stops trusting it then, when two
 * thirds of `validity` have passed, and at every change of names or validity. If you cannot give clients the new file in time
 * use `MigrationCertificate.fromHostedZone`. A renewal that fails is tried again every day; an alarm on
 * `certificate.metricDaysToExpiry()` under a quarter of `validity` reports that it goes on failing.
 *
 * @example
 * const { certificate } = new SelfSignedCertificate(this, 'Certificate', { domainName: 'shop.internal' });
 * new MigrationLoadBalancer(this, 'LoadBalancer', { certificate });
 */
export class SelfSignedCertificate extends Construct {
  public readonly certificate: ICertificate;

  constructor(scope: Construct, id: string, props: SelfSignedCertificateProps) {
    super(scope, id);
    checkNames('SelfSignedCertificateProps', props);
    const validity = props.validity ?? Duration.days(365);
    checkProps(props, validity);
    const provider = CertificateProvider.of(this);
    encryptSharedLog(provider.logGroup, props.encryptionKey);
    const properties = {
      DomainName: props.domainName,
      SubjectAlternativeNames: props.subjectAlternativeNames ?? [],
      ValidityDays: validity.toDays(),
    };
    const resource = new CustomResource(this, 'Resource', {
      resourceType: 'Custom::DrainshiftCertificate',
      serviceToken: provider.function.functionArn,
      serviceTimeout: SERVICE_TIMEOUT,
      properties,
    });
    // Its rights and its log come before the certificate, and go after it.
    resource.node.addDependency(provider);
    this.certificate = Certificate.fromCertificateArn(this, 'Certificate', resource.ref);
    this.renewWith(provider.function, { CertificateArn: resource.ref, ResourceProperties: properties });
  }

  private renewWith(renewer: Function, event: Record<string, unknown>): void {
    new Rule(this, 'Renewal', {
      description: 'Renews a self-signed certificate when a third of its time is left',
      schedule: Schedule.rate(Duration.days(1)),
      targets: [new LambdaFunction(renewer, { event: RuleTargetInput.fromObject(event) })],
    });
  }
}

/** Whether clients have to be made to trust it. */
export function isSelfSigned(certificate: ICertificate): boolean {
  return certificate.node.scope instanceof SelfSignedCertificate;
}

/** The function behind all self-signed certificates of a stack. Not in a network: it calls AWS APIs alone. */
class CertificateProvider extends Construct {
  static of(construct: Construct): CertificateProvider {
    const stack = Stack.of(construct);
    const found = stack.node.tryFindChild(PROVIDER_ID);
    return found instanceof CertificateProvider ? found : new CertificateProvider(stack, PROVIDER_ID);
  }

  readonly function: Function;
  readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.logGroup = new LogGroup(this, 'Log', { retention: RetentionDays.THREE_MONTHS });
    this.function = new Function(this, 'Function', {
      description: 'Makes, renews and deletes the self-signed certificates of this stack',
      code: Code.fromAsset(lambdaAsset()),
      handler: 'index.certificate',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      // To make a key takes more CPU than anything else here does, and CPU comes with memory.
      memorySize: 1024,
      timeout: FUNCTION_TIMEOUT,
      maxEventAge: MAX_EVENT_AGE,
      // What a renewal does not get done, the next day's does.
      retryAttempts: 0,
      logGroup: this.logGroup,
    });
    this.allowCertificates();
    acknowledge(this, 'certificates');
    trustOwnAccountOnly(this);
  }

  /**
   * ARNs are drawn by ACM: what it may touch is told by the tag that each certificate gets when it is made.
   *
   * @see https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscertificatemanager.html
   */
  private allowCertificates(): void {
    const stack = Stack.of(this);
    const certificates = stack.formatArn({ service: 'acm', resource: 'certificate', resourceName: '*' });
    const allow = (actions: string[], resource: string, conditions?: Record<string, unknown>) =>
      this.function.addToRolePolicy(
        new PolicyStatement({ actions: actions.map((action) => `acm:${action}`), resources: [resource], conditions }),
      );
    allow(['ImportCertificate', 'AddTagsToCertificate'], certificates, {
      StringEquals: { [`aws:RequestTag/${STACK_TAG}`]: stack.stackId },
      'ForAllValues:StringEquals': { 'aws:TagKeys': [STACK_TAG, LOGICAL_ID_TAG] },
    });
    allow(['ImportCertificate', 'DeleteCertificate'], certificates, {
      StringEquals: { [`aws:ResourceTag/${STACK_TAG}`]: stack.stackId },
    });
    // Reads without the tag: one that is gone has none, and would read as forbidden instead of gone.
    allow(['DescribeCertificate', 'ListTagsForCertificate'], certificates);
    // It does not know resources.
    allow(['ListCertificates'], '*');
  }
}

const PROVIDER_ID = 'DrainshiftCertificates';

function checkProps(props: SelfSignedCertificateProps, validity: Duration): void {
  checkDuration('validity', validity, VALIDITY);
  checkCertificateName('domainName', props.domainName);
  // The common name of X.509 (RFC 5280, appendix A.1) has no more.
  if (!isLater(props.domainName) && props.domainName.length > 64) {
    reject('domainName', 'a name of at most 64 characters', props.domainName);
  }
  for (const name of props.subjectAlternativeNames ?? []) checkCertificateName('subjectAlternativeNames', name);
}

const CERTIFICATE_NAME = /^(\*\.)?[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$/;

export function checkCertificateName(name: string, value: string): void {
  if (isLater(value)) return;
  if (!CERTIFICATE_NAME.test(value)) reject(name, 'a host name, or one with * as its first label', value);
}

import { Arn, ArnFormat, Stack } from 'aws-cdk-lib';
import { Certificate, CertificateValidation, ICertificate } from 'aws-cdk-lib/aws-certificatemanager';
import { IHostedZone } from 'aws-cdk-lib/aws-route53';
import { Construct } from 'constructs';
import { reject, isLater } from '../validation/validation';
import { checkNames } from '../validation/known-props';
import { SelfSignedCertificate, SelfSignedCertificateProps, checkCertificateName } from './self-signed-certificate';

export interface HostedZoneCertificateProps {
  /** The public zone in Route 53 of all names. */
  readonly hostedZone: IHostedZone;

  /** The name that clients use; its first label may be `*`. */
  readonly domainName: string;

  /**
   * Further names.
   * @default - none
   */
  readonly subjectAlternativeNames?: string[];
}

/**
 * The ways to a certificate for the load balancer. Any other `ICertificate` does as well.
 *
 * @example
 * const hostedZone = route53.HostedZone.fromLookup(this, 'Zone', { domainName: 'example.com' });
 * new MigrationLoadBalancer(this, 'LoadBalancer', {
 *   certificate: MigrationCertificate.fromHostedZone(this, 'Certificate', { hostedZone, domainName: 'shop.example.com' }),
 * });
 */
export class MigrationCertificate {
  /** One that exists in AWS Certificate Manager, in the region of the load balancer. */
  public static fromArn(scope: Construct, id: string, certificateArn: string): ICertificate {
    checkArn(scope, certificateArn);
    return Certificate.fromCertificateArn(scope, id, certificateArn);
  }

  /** A new one, signed by Amazon, which proves itself by records in the zone and is renewed by AWS. */
  public static fromHostedZone(scope: Construct, id: string, props: HostedZoneCertificateProps): ICertificate {
    checkNames('HostedZoneCertificateProps', props);
    const { hostedZone, domainName, subjectAlternativeNames } = props;
    checkInZone('domainName', domainName, hostedZone);
    for (const name of subjectAlternativeNames ?? []) checkInZone('subjectAlternativeNames', name, hostedZone);
    const validation = CertificateValidation.fromDns(hostedZone);
    // eslint-disable-next-line awscdk/require-passing-this -- a static factory has none
    return new Certificate(scope, id, { domainName, subjectAlternativeNames, validation });
  }

  /** A new one that no authority has signed, for clients that are made to trust it. */
  public static selfSigned(scope: Construct, id: string, props: SelfSignedCertificateProps): ICertificate {
    // eslint-disable-next-line awscdk/require-passing-this -- a static factory has none
    return new SelfSignedCertificate(scope, id, props).certificate;
  }

  private constructor() {}
}

function checkArn(scope: Construct, arn: string): void {
  if (isLater(arn)) return;
  if (!/^arn:[\w-]+:acm:[\w-]+:\d{12}:certificate\/.+/.test(arn)) {
    reject('certificateArn', 'the ARN of a certificate of AWS Certificate Manager', arn);
  }
  const { region } = Stack.of(scope);
  if (!isLater(region) && Arn.split(arn, ArnFormat.SLASH_RESOURCE_NAME).region !== region) {
    reject('certificateArn', `of a certificate in ${region}, as the load balancer is`, arn);
  }
}

/** A name outside of the zone can never be proven: the deployment would wait for hours, and fail. */
function checkInZone(name: string, domainName: string, hostedZone: IHostedZone): void {
  checkCertificateName(name, domainName);
  const zoneName = formatName(hostedZone);
  if (zoneName === undefined || isLater(domainName) || isLater(zoneName)) return;
  const zone = zoneName.replace(/\.$/, '').toLowerCase();
  const bare = domainName.replace(/^\*\./, '').toLowerCase();
  if (bare !== zone && !bare.endsWith(`.${zone}`)) reject(name, `a name in the zone '${zone}'`, domainName);
}

/** Undefined of a zone that is known by its id alone: to ask it throws. */
function formatName(hostedZone: IHostedZone): string | undefined {
  try {
    return hostedZone.zoneName;
  } catch {
    return undefined;
  }
}

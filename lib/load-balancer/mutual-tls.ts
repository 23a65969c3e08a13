import {
  ITrustStore,
  MutualAuthentication,
  MutualAuthenticationMode,
  TrustStore,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { checkNames } from '../validation/known-props';

export interface MutualTlsOptions {
  /**
   * Whether a client certificate that has expired still counts.
   * @default false
   */
  readonly ignoreExpiry?: boolean;

  /**
   * Whether clients get the names of the trusted authorities, so that they can choose among their certificates.
   * @default false
   */
  readonly advertiseAuthorities?: boolean;
}

export interface MutualTlsBundleOptions extends MutualTlsOptions {
  /**
   * The version of the object with the bundle.
   * @default - the latest at deployment
   */
  readonly objectVersion?: string;
}

/**
 * Whether clients of the traffic listener show a certificate. The smoke-test listeners never ask for one: they are closed
 * to all but their peers, and the cutover has none to show.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html
 */
export class MutualTls {
  /** Only clients with a certificate that the trust store knows are let in. */
  public static verify(trustStore: ITrustStore, options?: MutualTlsOptions): MutualTls {
    checkNames('MutualTlsOptions', options);
    return new MutualTls(true, () => verifyWith(trustStore, options));
  }

  /** As `verify`, with a new trust store of the PEM bundle of authorities that is under `key` in the bucket. */
  public static verifyBundle(bucket: IBucket, key: string, options?: MutualTlsBundleOptions): MutualTls {
    checkNames('MutualTlsBundleOptions', options);
    return new MutualTls(true, (parent) => {
      const version = options?.objectVersion;
      return verifyWith(new TrustStore(parent, 'TrustStore', { bucket, key, version }), options);
    });
  }

  /**
   * No client is rejected: the certificate that the client sends reaches the backend in the header `X-Amzn-Mtls-Clientcert`.
   */
  public static passThrough(): MutualTls {
    return new MutualTls(false, () => ({ mutualAuthenticationMode: MutualAuthenticationMode.PASS_THROUGH }));
  }

  private constructor(
    private readonly isRequired: boolean,
    private readonly authentication: (parent: Construct) => MutualAuthentication,
  ) {}

  /**
   * Whether a client without a certificate is turned away.
   * @internal
   */
  public get _isRequired(): boolean {
    return this.isRequired;
  }

  /** @internal */
  public _bind(parent: Construct): MutualAuthentication {
    return this.authentication(parent);
  }
}

function verifyWith(trustStore: ITrustStore, options: MutualTlsOptions = {}): MutualAuthentication {
  return {
    mutualAuthenticationMode: MutualAuthenticationMode.VERIFY,
    trustStore,
    ignoreClientCertificateExpiry: options.ignoreExpiry ?? false,
    advertiseTrustStoreCaNames: options.advertiseAuthorities ?? false,
  };
}

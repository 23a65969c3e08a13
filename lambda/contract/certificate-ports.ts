/**
 * What the owner of a self-signed certificate may do to the outside world. `adapters/` has the one implementation, on ACM.
 */
export interface CertificatesPort {
  /** @returns the ARN of the new certificate */
  add(made: MadeCertificate, tags: Tags): Promise<string>;
  /** Under the same ARN, so that listeners go on with it. */
  replace(arn: string, made: MadeCertificate): Promise<void>;
  /** When it ends; undefined when it is gone. */
  end(arn: string): Promise<Date | undefined>;
  /** The ARNs of the imported certificates of this name that have all of these tags. */
  find(domainName: string, tags: Tags): Promise<string[]>;
  /** @returns false while something still uses it; true also when it is gone */
  delete(arn: string): Promise<boolean>;
}

export type Tags = Readonly<Record<string, string>>;

/** PEM. The key goes to ACM and nowhere else. */
export interface MadeCertificate {
  readonly certificate: string;
  readonly privateKey: string;
}

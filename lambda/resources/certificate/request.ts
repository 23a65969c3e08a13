/** What a self-signed certificate is to be. */
export interface CertificateRequest {
  readonly domainName: string;
  /** With `domainName`, each once. */
  readonly names: readonly string[];
  readonly validityDays: number;
}

/**
 * @param properties those of the resource; CloudFormation hands every number over as text
 * @throws Error of one line: name, rule, value
 */
export function readCertificateRequest(properties: unknown): CertificateRequest {
  const { DomainName, SubjectAlternativeNames = [], ValidityDays } = (properties ?? {}) as Record<string, unknown>;
  if (!isName(DomainName)) return reject('DomainName', 'a text', DomainName);
  if (!Array.isArray(SubjectAlternativeNames) || !SubjectAlternativeNames.every(isName)) {
    return reject('SubjectAlternativeNames', 'a list of texts', SubjectAlternativeNames);
  }
  const validityDays = Number(ValidityDays);
  if (!Number.isInteger(validityDays) || validityDays < 1)
    return reject('ValidityDays', 'an integer over 0', ValidityDays);
  return { domainName: DomainName, names: [...new Set([DomainName, ...SubjectAlternativeNames])], validityDays };
}

export function isSameRequest(a: CertificateRequest, b: CertificateRequest): boolean {
  return a.validityDays === b.validityDays && a.names.join() === b.names.join();
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function reject(name: string, rule: string, value: unknown): never {
  throw new Error(`'${name}' must be ${rule}, got ${JSON.stringify(value)}`);
}

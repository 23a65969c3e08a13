import { LOGICAL_ID_TAG, STACK_TAG } from '../../../core/traffic/weighted-rule';
import type { CustomResourceEvent, ResourceResult } from '../custom-resource';
import { isDue, makeCertificate } from './make-certificate';
import type { CertificatesPort, Tags } from '../../contract/certificate-ports';
import { CertificateRequest, isSameRequest, readCertificateRequest } from './request';

/** A listener that was just deleted counts as a user of its certificate for a while: two minutes at the most. */
const DELETE_ATTEMPTS = 24;
const DELETE_PAUSE_MS = 5_000;

export interface LocalCloud {
  readonly certificates: CertificatesPort;
  readonly now: () => number;
  readonly pause: (milliseconds: number) => Promise<void>;
}

/**
 * Makes the certificate of a resource as its template says. May be repeated at any point: a certificate is found again by
 * its tags.
 *
 * @throws Error with what cannot be done, and why
 */
export async function ownCertificate(event: CustomResourceEvent, cloud: LocalCloud): Promise<ResourceResult> {
  if (event.RequestType === 'Delete') return deleteCertificate(event, cloud);
  const wanted = readCertificateRequest(event.ResourceProperties);
  const present = await findPresent(event, wanted.domainName, cloud.certificates);
  if (present === undefined) return addCertificate(event, wanted, cloud);
  const before = event.OldResourceProperties ? readCertificateRequest(event.OldResourceProperties) : wanted;
  if (isSameRequest(before, wanted)) return { physicalId: present, reason: 'The certificate is as wanted' };
  // ACM lets a certificate that is imported again have other names, but no other kind of key.
  await cloud.certificates.replace(present, await makeCertificate(wanted, cloud.now()));
  return { physicalId: present, reason: `Made anew for ${wanted.names.join(', ')}` };
}

/** What a schedule asks for every day. */
export interface Renewal {
  readonly certificateArn: string;
  readonly request: CertificateRequest;
}

/** @returns what was done, for a person */
export async function renewCertificate({ certificateArn, request }: Renewal, cloud: LocalCloud): Promise<string> {
  const end = await cloud.certificates.end(certificateArn);
  if (end === undefined) return 'Left alone: it is gone';
  if (!isDue(end.getTime(), cloud.now(), request.validityDays)) return `Left alone: it ends on ${end.toISOString()}`;
  await cloud.certificates.replace(certificateArn, await makeCertificate(request, cloud.now()));
  return `Renewed for ${request.validityDays} days: it would have ended on ${end.toISOString()}`;
}

async function addCertificate(event: CustomResourceEvent, wanted: CertificateRequest, cloud: LocalCloud) {
  const made = await makeCertificate(wanted, cloud.now());
  const physicalId = await cloud.certificates.add(made, listTags(event));
  return { physicalId, reason: `Made for ${wanted.names.join(', ')}` };
}

async function deleteCertificate(event: CustomResourceEvent, cloud: LocalCloud): Promise<ResourceResult> {
  const physicalId = event.PhysicalResourceId ?? event.LogicalResourceId;
  const arns = await findToDelete(event, cloud.certificates);
  for (const arn of arns) await deleteOne(arn, cloud);
  return { physicalId, reason: arns.length > 0 ? 'Deleted' : 'There was none' };
}

async function deleteOne(arn: string, { certificates, pause }: LocalCloud): Promise<void> {
  for (let attempt = 1; attempt <= DELETE_ATTEMPTS; attempt += 1) {
    if (await certificates.delete(arn)) return;
    await pause(DELETE_PAUSE_MS);
  }
  throw new Error(`'${arn}' must be used by nothing to be deleted, got a listener or another service that uses it`);
}

async function findPresent(event: CustomResourceEvent, domainName: string, certificates: CertificatesPort) {
  const id = event.PhysicalResourceId;
  if (isCertificateArn(id)) return (await certificates.end(id)) && id;
  return (await certificates.find(domainName, listTags(event)))[0];
}

/**
 * A creation that was cut short has no ARN: then it is found by its tags. With one that has goes what an import has left
 * that was repeated because its response was lost. Of one that is gone nothing else is deleted: another has taken its place.
 */
async function findToDelete(event: CustomResourceEvent, certificates: CertificatesPort): Promise<string[]> {
  const id = event.PhysicalResourceId;
  if (isCertificateArn(id) && !(await certificates.end(id))) return [];
  const { DomainName: domainName } = event.ResourceProperties as { DomainName?: unknown };
  const found = typeof domainName === 'string' ? await certificates.find(domainName, listTags(event)) : [];
  return [...new Set([...(isCertificateArn(id) ? [id] : []), ...found])];
}

function isCertificateArn(id: string | undefined): id is string {
  return id?.includes(':certificate/') ?? false;
}

function listTags({ StackId, LogicalResourceId }: CustomResourceEvent): Tags {
  return { [STACK_TAG]: StackId, [LOGICAL_ID_TAG]: LogicalResourceId };
}

import { setTimeout as pause } from 'node:timers/promises';
import { certificatesPort } from '../../adapters/certificates';
import { CustomResourceEvent, FunctionContext, customResourceHandler } from '../custom-resource';
import { LocalCloud, ownCertificate, renewCertificate } from './own-certificate';
import { readCertificateRequest } from './request';

/** From the schedule: the properties are those of the resource. */
export interface RenewalEvent {
  readonly CertificateArn: string;
  readonly ResourceProperties: unknown;
}

const portsWith = (signal: AbortSignal): LocalCloud => ({
  certificates: certificatesPort(signal),
  now: () => Date.now(),
  pause: (milliseconds) => pause(milliseconds, undefined, { signal }),
});

const handleResource = customResourceHandler((event, signal) => ownCertificate(event, portsWith(signal)));

/** Owns self-signed certificates: called by CloudFormation, and by a schedule to renew them. */
export async function handler(event: CustomResourceEvent | RenewalEvent, context: FunctionContext): Promise<void> {
  if ('RequestType' in event) return handleResource(event, context);
  const { CertificateArn: certificateArn, ResourceProperties: properties } = event;
  const cloud = portsWith(AbortSignal.timeout(context.getRemainingTimeInMillis()));
  const reason = await renewCertificate({ certificateArn, request: readCertificateRequest(properties) }, cloud);
  process.stdout.write(`${JSON.stringify({ level: 'info', request: 'Renew', certificateArn, reason })}\n`);
}

import {
  ACMClient,
  DeleteCertificateCommand,
  DescribeCertificateCommand,
  ImportCertificateCommand,
  ListTagsForCertificateCommand,
  paginateListCertificates,
} from '@aws-sdk/client-acm';
import type { CertificatesPort, Tags } from '../contract/certificate-ports';
import { CLIENT_CONFIG } from './client/client-config';
import { DEPLOYMENT_MS, limited } from './client/limited';

/** The certificates of AWS Certificate Manager; calls end with the signal. */
export function certificatesPort(signal: AbortSignal): CertificatesPort {
  const client = limited('ACM', new ACMClient(CLIENT_CONFIG), DEPLOYMENT_MS);
  const ends = { abortSignal: signal };
  return {
    add: async ({ certificate, privateKey }, tags) => {
      const input = { Certificate: Buffer.from(certificate), PrivateKey: Buffer.from(privateKey), Tags: tagList(tags) };
      const { CertificateArn } = await client.send(new ImportCertificateCommand(input), ends);
      if (CertificateArn === undefined) throw new Error('an imported certificate must have an ARN, got none');
      return CertificateArn;
    },
    replace: async (arn, { certificate, privateKey }) => {
      const input = { Certificate: Buffer.from(certificate), PrivateKey: Buffer.from(privateKey) };
      await client.send(new ImportCertificateCommand({ CertificateArn: arn, ...input }), ends);
    },
    end: async (arn) => {
      const response = await unlessGone(client.send(new DescribeCertificateCommand({ CertificateArn: arn }), ends));
      return response?.Certificate?.NotAfter;
    },
    find: async (domainName, tags) => {
      const arns: string[] = [];
      for await (const page of paginateListCertificates({ client }, {}, ends)) {
        for (const { CertificateArn: arn, DomainName, Type } of page.CertificateSummaryList ?? []) {
          if (arn === undefined || DomainName !== domainName || Type !== 'IMPORTED') continue;
          const found = await unlessGone(client.send(new ListTagsForCertificateCommand({ CertificateArn: arn }), ends));
          if (
            tagList(tags).every(({ Key, Value }) => found?.Tags?.some((tag) => tag.Key === Key && tag.Value === Value))
          )
            arns.push(arn);
        }
      }
      return arns;
    },
    delete: async (arn) => {
      try {
        await unlessGone(client.send(new DeleteCertificateCommand({ CertificateArn: arn }), ends));
        return true;
      } catch (error) {
        if (error instanceof Error && error.name === 'ResourceInUseException') return false;
        throw error;
      }
    },
  };
}

function tagList(tags: Tags): { Key: string; Value: string }[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

async function unlessGone<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof Error && error.name === 'ResourceNotFoundException') return undefined;
    throw error;
  }
}

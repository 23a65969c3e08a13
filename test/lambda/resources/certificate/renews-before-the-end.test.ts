import { handler } from '../../../../lambda/resources/certificate/handler';
import { isDue } from '../../../../lambda/resources/certificate/make-certificate';
import { CONTEXT, CertificateSetup, properties, startLocalCloud, stopLocalCloud } from './world';

let cloud: CertificateSetup;
let written: string[];

beforeEach(async () => ({ cloud, written } = await startLocalCloud()));
afterEach(() => stopLocalCloud(cloud));

async function create(validityDays: string): Promise<string> {
  const event = cloud.event('Create', { ResourceProperties: properties({ ValidityDays: validityDays }) });
  await handler(event, CONTEXT);
  return cloud.responses.at(-1)?.PhysicalResourceId ?? '';
}

const renew = (arn: string) => handler({ CertificateArn: arn, ResourceProperties: properties() }, CONTEXT);

test('one with less than a third of its time left is renewed under the same ARN', async () => {
  const arn = await create('100');
  const before = cloud.x509(arn);
  await renew(arn);
  const after = cloud.x509(arn);
  expect(after.serialNumber).not.toBe(before.serialNumber);
  expect(Date.parse(after.validTo) - Date.now()).toBeGreaterThan(364 * 86_400_000);
  expect(after.subjectAltName).toBe(before.subjectAltName);
  expect(cloud.certificates.size).toBe(1);
  expect(written.at(-1)).toContain('Renewed for 365 days');
});

test('one with more time left is left alone', async () => {
  const arn = await create('365');
  const { serialNumber } = cloud.x509(arn);
  await renew(arn);
  expect(cloud.x509(arn).serialNumber).toBe(serialNumber);
});

test('one that is gone stays gone', async () => {
  await renew('arn:aws:acm:eu-central-1:111122223333:certificate/gone');
  expect(cloud.calls).toEqual(['DescribeCertificate']);
});

test('a renewal that fails is an error, so that it is tried again', async () => {
  const arn = await create('100');
  await expect(handler({ CertificateArn: arn, ResourceProperties: {} }, CONTEXT)).rejects.toThrow(
    "'DomainName' must be a text, got undefined",
  );
});

test('due is what has less than a third of its validity left', () => {
  const day = 86_400_000;
  expect(isDue(100 * day, 0, 300)).toBe(false);
  expect(isDue(100 * day - 1, 0, 300)).toBe(true);
  expect(isDue(-1, 0, 300)).toBe(true);
});

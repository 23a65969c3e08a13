import { certificatesPort } from '../../../../lambda/adapters/certificates';
import { handler } from '../../../../lambda/resources/certificate/handler';
import { ownCertificate } from '../../../../lambda/resources/certificate/own-certificate';
import type { CustomResourceEvent } from '../../../../lambda/resources/custom-resource';
import { CONTEXT, CertificateSetup, STACK_ID, properties, startLocalCloud, stopLocalCloud } from './world';

let cloud: CertificateSetup;
let written: string[];

beforeEach(async () => ({ cloud, written } = await startLocalCloud()));
afterEach(() => stopLocalCloud(cloud));

/** @returns the id of the response, which must be of success */
async function succeed(event: CustomResourceEvent): Promise<string> {
  await handler(event, CONTEXT);
  const response = cloud.responses.at(-1);
  expect(response).toMatchObject({ Status: 'SUCCESS' });
  return response?.PhysicalResourceId ?? '';
}

test('a certificate is made for its names, with a key that fits, and is tagged as ours', async () => {
  const arn = await succeed(cloud.event('Create'));
  const made = cloud.x509(arn);
  expect(made.subject).toBe('CN=shop.internal');
  expect(made.subjectAltName).toBe('DNS:shop.internal, DNS:*.shop.internal');
  expect(made.checkHost('shop.internal')).toBe('shop.internal');
  expect(made.ca).toBe(false);
  expect(made.verify(made.publicKey)).toBe(true);
  expect(Date.parse(made.validFrom)).toBeLessThan(Date.now());
  expect(Date.parse(made.validTo) - Date.now()).toBeGreaterThan(364 * 86_400_000);
  expect(cloud.certificates.get(arn)?.tags).toEqual([
    { Key: 'drainshift:stack-id', Value: STACK_ID },
    { Key: 'drainshift:logical-id', Value: 'Own0123' },
  ]);
});

test('a creation that is repeated finds what the first one made, and not those of others', async () => {
  const first = await succeed(cloud.event('Create', { LogicalResourceId: 'Other' }));
  const second = await succeed(cloud.event('Create'));
  expect(second).not.toBe(first);
  expect(await succeed(cloud.event('Create'))).toBe(second);
  expect(cloud.certificates.size).toBe(2);
});

test('other names: a new certificate under the same ARN, and back again when the deployment is rolled back', async () => {
  const arn = await succeed(cloud.event('Create'));
  const changed = properties({ DomainName: 'new.internal', SubjectAlternativeNames: [] });
  const update = { PhysicalResourceId: arn, ResourceProperties: changed, OldResourceProperties: properties() };
  expect(await succeed(cloud.event('Update', update))).toBe(arn);
  expect(cloud.x509(arn).subjectAltName).toBe('DNS:new.internal');
  const back = { PhysicalResourceId: arn, ResourceProperties: properties(), OldResourceProperties: changed };
  expect(await succeed(cloud.event('Update', back))).toBe(arn);
  expect(cloud.x509(arn).subject).toBe('CN=shop.internal');
});

test('an update that is not about the certificate leaves it alone', async () => {
  const arn = await succeed(cloud.event('Create'));
  const { serialNumber } = cloud.x509(arn);
  const old = properties({ ServiceToken: 'arn:lambda:before' });
  await succeed(cloud.event('Update', { PhysicalResourceId: arn, OldResourceProperties: old }));
  expect(cloud.x509(arn).serialNumber).toBe(serialNumber);
});

test('one that someone has deleted is made again', async () => {
  const arn = await succeed(cloud.event('Create'));
  cloud.certificates.clear();
  const id = await succeed(
    cloud.event('Update', { PhysicalResourceId: arn, OldResourceProperties: properties({ ValidityDays: '30' }) }),
  );
  expect(cloud.x509(id).subject).toBe('CN=shop.internal');
});

describe('deletion', () => {
  test('deletes it, and succeeds when it is gone already', async () => {
    const arn = await succeed(cloud.event('Create'));
    expect(await succeed(cloud.event('Delete', { PhysicalResourceId: arn }))).toBe(arn);
    expect(cloud.certificates.size).toBe(0);
    expect(await succeed(cloud.event('Delete', { PhysicalResourceId: arn }))).toBe(arn);
  });

  test('finds by its tags what a creation that was cut short has made', async () => {
    await succeed(cloud.event('Create'));
    await succeed(cloud.event('Delete', { PhysicalResourceId: 'Own0123-not-created' }));
    expect(cloud.certificates.size).toBe(0);
    await succeed(cloud.event('Delete', { PhysicalResourceId: 'Own0123-not-created' }));
  });

  test('takes with it what an import has left whose response was lost', async () => {
    const arn = await succeed(cloud.event('Create'));
    const twin = cloud.certificates.get(arn);
    if (twin) cloud.put('IMPORTED', twin.certificate, twin.tags);
    await succeed(cloud.event('Delete', { PhysicalResourceId: arn }));
    expect(cloud.certificates.size).toBe(0);
  });

  test('of one that is gone leaves the one that has taken its place', async () => {
    await succeed(cloud.event('Create'));
    const gone = `arn:aws:acm:eu-central-1:111122223333:certificate/gone`;
    await succeed(cloud.event('Delete', { PhysicalResourceId: gone }));
    expect(cloud.certificates.size).toBe(1);
  });

  const waiting = async (pauses: number[]) => {
    const arn = await succeed(cloud.event('Create'));
    return ownCertificate(cloud.event('Delete', { PhysicalResourceId: arn }), {
      certificates: certificatesPort(new AbortController().signal),
      now: () => Date.now(),
      pause: (milliseconds) => Promise.resolve(void pauses.push(milliseconds)),
    });
  };

  test('waits for a listener that was just deleted', async () => {
    cloud.inUse = 3;
    const pauses: number[] = [];
    await expect(waiting(pauses)).resolves.toMatchObject({ reason: 'Deleted' });
    expect(pauses).toEqual([5_000, 5_000, 5_000]);
  });

  test('says who must release it when that does not happen', async () => {
    cloud.inUse = Infinity;
    await expect(waiting([])).rejects.toThrow(/certificate\/1' must be used by nothing to be deleted, got a listener/);
  });
});

test.each([
  [{ DomainName: '' }, '\'DomainName\' must be a text, got ""'],
  [{ SubjectAlternativeNames: 'a' }, '\'SubjectAlternativeNames\' must be a list of texts, got "a"'],
  [{ ValidityDays: 'long' }, '\'ValidityDays\' must be an integer over 0, got "long"'],
])('what cannot be made is said: %j', async (over, Reason) => {
  await handler(cloud.event('Create', { ResourceProperties: properties(over) }), CONTEXT);
  expect(cloud.responses).toEqual([expect.objectContaining({ Status: 'FAILED', Reason })]);
  expect(cloud.calls).toEqual([]);
});

test('no key is logged or returned', async () => {
  const arn = await succeed(cloud.event('Create'));
  await succeed(
    cloud.event('Update', { PhysicalResourceId: arn, OldResourceProperties: properties({ ValidityDays: '9' }) }),
  );
  const [key = ''] = cloud.keys;
  expect(cloud.keys).toHaveLength(2);
  const said = [...written, JSON.stringify(cloud.responses)].join('\n');
  expect(said).toContain(arn);
  for (const secret of ['PRIVATE KEY', key.split('\n')[1] ?? '', 'signature=secret'])
    expect(said).not.toContain(secret);
});

import http2 from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { generate } from 'selfsigned';
import { smokePort } from '../../../../lambda/adapters/smoke/smoke';
import { withTimeLeft } from '../../../../lambda/contract/time-left';
import { ARNS, LocalCloud, startLocalCloud } from '../../../rehearsal/aws/world';
import { callEndpoint } from '../world';
import { authority, certificateFrom, Pair } from '../../../proxy/support/authority';

const SECRET = { arn: ARNS.secret.replace('admin-a1B2c3', 'authorities-d4E5f6'), name: 'authorities' };
const NAME = 'shop.internal';
const REQUEST = { path: '/', expectedStatus: 200 };
const SAMPLE = { quorum: 'every', maxAtOnce: 1 } as const;

let cloud: LocalCloud;
let ca: Pair;
const servers: Server[] = [];

beforeAll(async () => {
  ca = await authority('The Company');
});

beforeEach(async () => {
  cloud = await startLocalCloud();
  callEndpoint(cloud.url);
  Object.assign(cloud.elbModel.loadBalancer(ARNS.balancer), { dnsName: '127.0.0.1' });
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await cloud.stop();
});

/** A load balancer's smoke listener of both versions of HTTP, whose certificate this authority has signed for the name. */
async function listen(name = NAME): Promise<void> {
  const server = http2.createSecureServer({ ...(await certificateFrom(ca, name)), allowHTTP1: true }, (_, response) =>
    response.end('well'),
  );
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cloud.elbModel.listener(ARNS.smokeListener).port = (server.address() as AddressInfo).port;
}

const port = (trustedAuthoritiesArn?: string) =>
  smokePort({
    loadBalancerArn: ARNS.balancer,
    smokeListenerArns: { source: ARNS.smokeListener, target: ARNS.smokeListener },
    targetGroupArns: { source: ARNS.source, target: ARNS.target },
    domainName: NAME,
    ...(trustedAuthoritiesArn !== undefined && { trustedAuthoritiesArn }),
  });

test.each(['HTTP1', 'HTTP2'])(
  'a certificate of an authority of your own is good where its secret says so: %s',
  async (version) => {
    Object.assign(cloud.elbModel.targetGroup(ARNS.source), { protocolVersion: version });
    await listen();
    cloud.secrets.put(SECRET, ca.cert);
    expect((await port().probe('source', REQUEST, SAMPLE)).got).toMatch(/unable to (verify|get)|self.signed/);
    const smoke = port(SECRET.arn);
    await smoke.checkTrust();
    expect((await smoke.probe('source', REQUEST, SAMPLE)).got).toBe(200);
    expect((await smoke.probe('target', REQUEST, SAMPLE)).got).toBe(200);
    // Read once for all of them.
    expect(cloud.calls.filter(({ action }) => action === 'GetSecretValue')).toHaveLength(1);
  },
);

test('another authority is not trusted, and neither is another name', async () => {
  await listen();
  cloud.secrets.put(SECRET, (await authority('A Stranger')).cert);
  expect((await port(SECRET.arn).probe('source', REQUEST, SAMPLE)).got).toMatch(/unable to|self.signed/);
  cloud.secrets.put(SECRET, ca.cert);
  await listen('other.internal');
  expect((await port(SECRET.arn).probe('source', REQUEST, SAMPLE)).got).toMatch(
    /does not match certificate's altnames/,
  );
});

test.each([
  ['no PEM', 'hunter2'],
  ['a PEM that is cut off', '-----BEGIN CERTIFICATE-----\nMIIB'],
])('a secret with %s is rejected by the preflight and the proof, and its value is not reported', async (_, value) => {
  cloud.secrets.put(SECRET, value);
  await expect(port(SECRET.arn).checkTrust()).rejects.toThrow(
    `secret '${SECRET.arn}' of 'trustedAuthorities' must be PEM with certificates, got ${value.length} characters`,
  );
});

test('a secret that is not there is named by Secrets Manager', async () => {
  await expect(port(SECRET.arn).checkTrust()).rejects.toThrow(
    /Secrets Manager must respond to GetSecretValue, got 400/,
  );
});

test('while the secret cannot be read the name and the dates count: a rollback needs the load balancer alone', async () => {
  await listen();
  expect((await port(SECRET.arn).probe('source', REQUEST, SAMPLE)).got).toBe(200);
  await listen('other.internal');
  expect((await port(SECRET.arn).probe('source', REQUEST, SAMPLE)).got).toMatch(
    /does not match certificate's altnames/,
  );
});

test('a smoke request that would not end in the time of its step is not sent, and says how much there was', async () => {
  await listen();
  const probe = () => port(SECRET.arn).probe('source', REQUEST, SAMPLE);
  const rule = 'a smoke request of the source must begin 6 s before the end of its step, got 3.2 s';
  await expect(withTimeLeft(() => 3_200, probe)).rejects.toMatchObject({ name: 'AwsUnavailable', message: rule });
});

test('a secret with more authorities than one trusts all of them', async () => {
  await listen();
  const other = await generate([{ name: 'commonName', value: 'Other' }], { keyType: 'ec', algorithm: 'sha256' });
  cloud.secrets.put(SECRET, `The authorities:\n${other.cert}\n${ca.cert}`);
  expect((await port(SECRET.arn).probe('source', REQUEST, SAMPLE)).got).toBe(200);
});

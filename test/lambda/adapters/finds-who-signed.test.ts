import { createHash, createHmac } from 'node:crypto';
import { IncomingMessage, Server, createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import { Statement, readStatement, statementRequest } from '../../../core/approval/statement';
import { identityPort, stsUrl } from '../../../lambda/adapters/identity';
import { signStatement } from '../../../lambda/adapters/sign-statement';
import { ARNS, REGION, LocalCloud, startLocalCloud } from '../../rehearsal/aws/world';

const SAYS = 'approve/firstShift/store/move-1';
const [KEY, SECRET] = ['AKIDEXAMPLE', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'];
const ARN = 'arn:aws:sts::123456789012:assumed-role/Operators/ann@example.com';
const port = () => identityPort({ weightedRuleArn: ARNS.rule });

let stops: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  Object.assign(process.env, { AWS_REGION: REGION, AWS_ACCESS_KEY_ID: KEY, AWS_SECRET_ACCESS_KEY: SECRET });
});
afterEach(async () => {
  for (const name of ['AWS_SESSION_TOKEN', 'AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_STS']) delete process.env[name];
  await Promise.all(stops.map((stop) => stop()));
  stops = [];
});

/** An STS that knows one secret and verifies what was signed with it, by the rules of Signature Version 4 and by nothing of ours. */
async function startSts(): Promise<{ calls: IncomingMessage[] }> {
  const calls: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    calls.push(request);
    const isGood =
      findSignature(request) === new URL(request.url ?? '', 'http://sts').searchParams.get('X-Amz-Signature');
    const error =
      '<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error></ErrorResponse>';
    const result = `<GetCallerIdentityResult><Arn>${ARN}</Arn><Account>123456789012</Account></GetCallerIdentityResult>`;
    response.writeHead(isGood ? 200 : 403, { 'content-type': 'text/xml' });
    response.end(isGood ? `<GetCallerIdentityResponse>${result}</GetCallerIdentityResponse>` : error);
  });
  process.env.AWS_ENDPOINT_URL = await listen(server);
  return { calls };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  stops.push(() => new Promise((done) => (server.close(done), server.closeAllConnections())));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
function findSignature({ method, url = '', headers }: IncomingMessage): string {
  const pairs = url
    .slice(2)
    .split('&')
    .filter((pair) => !pair.startsWith('X-Amz-Signature='))
    .sort();
  const value = (name: string) => decodeURIComponent(pairs.find((pair) => pair.startsWith(`${name}=`))!.split('=')[1]!);
  const names = value('X-Amz-SignedHeaders').split(';');
  const lines = names.map((name) => `${name}:${String(headers[name])}\n`).join('');
  const sha = (text: string) => createHash('sha256').update(text).digest('hex');
  const canonical = [method, '/', pairs.join('&'), lines, names.join(';'), sha('')].join('\n');
  const [, ...scope] = value('X-Amz-Credential').split('/');
  const text = ['AWS4-HMAC-SHA256', value('X-Amz-Date'), scope.join('/'), sha(canonical)].join('\n');
  const hmac = (key: Buffer | string, part: string) => createHmac('sha256', key).update(part).digest();
  return hmac(scope.reduce<Buffer | string>(hmac, `AWS4${SECRET}`), text).toString('hex');
}

test.each([
  ['that last', undefined],
  ['of a session', 'IQoJb3JpZ2luX2VjE+/=='],
])('STS names who signed, with credentials %s', async (_, token) => {
  if (token !== undefined) process.env.AWS_SESSION_TOKEN = token;
  const { calls } = await startSts();
  const statement = await signStatement(SAYS);
  expect(calls).toEqual([]);
  expect(statement.token).toBe(token);
  const terms = { says: SAYS, host: port().host, region: REGION };
  expect(readStatement(JSON.parse(JSON.stringify(statement)), terms, Date.now())).toEqual(statement);
  expect(await port().findSigner(statement)).toBe(ARN);
  expect(port().account).toBe('123456789012');
  expect(calls).toHaveLength(1);
  expect(new URL(calls[0]!.url!, 'http://sts').searchParams.get('X-Amz-SignedHeaders')).toBe(
    'host;x-drainshift-statement',
  );
});

test.each<[string, Partial<Statement>]>([
  ['execution', { says: 'approve/firstShift/store/move-2' }],
  ['gate', { says: 'approve/lastStage/store/move-1' }],
  ['decision', { says: 'reject/firstShift/store/move-1' }],
  ['time', { date: '20990101T000000Z' }],
  ['length of time', { expires: 901 }],
  ['key', { credential: `AKIDOTHER/20260101/${REGION}/sts/aws4_request` }],
  ['token', { token: 'another' }],
  ['signature', { signature: '0'.repeat(64) }],
])('a statement is good for nothing but what was signed: with another %s STS rejects it', async (_, over) => {
  const { calls } = await startSts();
  const forged = { ...(await signStatement(SAYS)), ...over };
  await expect(port().findSigner(forged)).rejects.toThrow(
    'STS must confirm the statement, got 403 SignatureDoesNotMatch',
  );
  // No second attempt: it would be rejected again.
  expect(calls).toHaveLength(1);
});

test("it goes to the region's own STS, of its partition, whatever anyone wrote", () => {
  expect(stsUrl('eu-central-1').href).toBe('https://sts.eu-central-1.amazonaws.com/');
  expect(stsUrl('cn-north-1').href).toBe('https://sts.cn-north-1.amazonaws.com.cn/');
  process.env.AWS_ENDPOINT_URL = 'http://127.0.0.1:1';
  process.env.AWS_ENDPOINT_URL_STS = 'http://127.0.0.1:2';
  expect(stsUrl('eu-central-1').href).toBe('http://127.0.0.1:2/');
});

test('nothing is followed elsewhere, and what is no ARN is none', async () => {
  let response: [number, Record<string, string>, string] = [302, { location: 'http://127.0.0.1:1/' }, ''];
  const server = createServer((_, outgoing) => outgoing.writeHead(response[0], response[1]).end(response[2]));
  process.env.AWS_ENDPOINT_URL = await listen(server);
  const statement = await signStatement(SAYS);
  await expect(port().findSigner(statement)).rejects.toMatchObject({ code: 'AwsUnavailable' });
  for (const body of [
    '',
    '<',
    '<html>hello</html>',
    '<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>ann\nbob</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>',
  ]) {
    response = [200, {}, body];
    await expect(port().findSigner(statement)).rejects.toMatchObject({ code: 'AwsUnavailable' });
  }
});

describe("the rehearsal's STS", () => {
  let cloud: LocalCloud;
  beforeEach(async () => {
    cloud = await startLocalCloud();
    stops.push(() => cloud.stop());
    process.env.AWS_ENDPOINT_URL = cloud.url;
  });

  test('names the access key id, and repeats a call that the service failed', async () => {
    const statement = await signStatement(SAYS);
    cloud.endpoint.faults.set({ action: 'GetCallerIdentity' }, { kind: 'status', status: 503 }, { times: 1 });
    expect(await port().findSigner(statement)).toBe(`arn:aws:iam::123456789012:user/${KEY}`);
    cloud.endpoint.faults.set({ action: 'GetCallerIdentity' }, { kind: 'reset' });
    await expect(port().findSigner(statement)).rejects.toMatchObject({
      code: 'AwsUnavailable',
      message: expect.stringMatching(/^STS at 127.0.0.1:\d+ must respond, got /) as string,
    });
    cloud.endpoint.faults.clear();
    cloud.endpoint.faults.set({ action: 'GetCallerIdentity' }, { kind: 'throttle' });
    await expect(port().findSigner(statement)).rejects.toMatchObject({ code: 'AwsUnavailable' });
  });

  test('rejects one whose header is not there or not signed, and one that has expired', async () => {
    const statement = await signStatement(SAYS);
    const { path, headers } = statementRequest(statement);
    const ask = async (to: string, sent: Record<string, string>) => {
      const response = await fetch(new URL(to, cloud.url), { headers: sent });
      return [response.status, /<Code>(.*?)</.exec(await response.text())?.[1]];
    };
    expect((await ask(path, headers))[0]).toBe(200);
    const refused = [403, 'SignatureDoesNotMatch'];
    expect(await ask(path, {})).toEqual(refused);
    expect(await ask(path.replace('host%3B', ''), headers)).toEqual(refused);
    expect(await ask(path.replace(/&X-Amz-Signature=.*/, ''), headers)).toEqual(refused);
    expect(await ask(path.replace(/X-Amz-Date=\d{8}/, 'X-Amz-Date=20260101'), headers)).toEqual(refused);
    expect(await ask(path.replace(/X-Amz-Date=[^&]*/, 'X-Amz-Date=never'), headers)).toEqual(refused);
  });
});

import { createHash, createHmac } from 'node:crypto';
import { createMskToken } from '../../../capture/kafka/msk-token';

const before = { ...process.env };
beforeEach(() =>
  Object.assign(process.env, {
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'AKID',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_SESSION_TOKEN: 'to/ken+=',
  }),
);
afterEach(() => (process.env = { ...before }));

const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest();
const hash = (data: string) => createHash('sha256').update(data).digest('hex');
/** RFC 3986: more than `encodeURIComponent` does. */
const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

test('it is the URL that the libraries of AWS make, signed as the documentation of AWS has it', async () => {
  const token = await createMskToken('eu-central-1');
  expect(token).toMatch(/^[\w-]+$/);
  const url = new URL(Buffer.from(token, 'base64url').toString());
  expect(url.origin + url.pathname).toBe('https://kafka.eu-central-1.amazonaws.com/');
  const query = Object.fromEntries(url.searchParams);
  const date = query['X-Amz-Date'] ?? '';
  expect(query).toEqual({
    Action: 'kafka-cluster:Connect',
    'User-Agent': 'drainshift',
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `AKID/${date.slice(0, 8)}/eu-central-1/kafka-cluster/aws4_request`,
    'X-Amz-Date': expect.stringMatching(/^\d{8}T\d{6}Z$/) as unknown,
    'X-Amz-Expires': '900',
    'X-Amz-Security-Token': 'to/ken+=',
    'X-Amz-Signature': expect.any(String) as unknown,
    'X-Amz-SignedHeaders': 'host',
  });
  // What is added behind the signature is not signed.
  const signed = Object.entries(query).filter(([name]) => name !== 'X-Amz-Signature' && name !== 'User-Agent');
  const canonical = [
    'GET',
    '/',
    signed
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .sort()
      .join('&'),
    'host:kafka.eu-central-1.amazonaws.com',
    '',
    'host',
    hash(''),
  ].join('\n');
  const key = hmac(hmac(hmac(hmac('AWS4secret', date.slice(0, 8)), 'eu-central-1'), 'kafka-cluster'), 'aws4_request');
  const scope = `${date.slice(0, 8)}/eu-central-1/kafka-cluster/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', date, scope, hash(canonical)].join('\n');
  expect(hmac(key, toSign).toString('hex')).toBe(query['X-Amz-Signature']);
});

test('without a region of the brokers it is for that of the environment', async () => {
  const url = Buffer.from(await createMskToken(undefined), 'base64url').toString();
  expect(url).toContain('https://kafka.eu-west-1.amazonaws.com/');
});

import { createHash, createHmac } from 'node:crypto';
import { openSigner } from '../../../replay/sigv4/signer';

const before = { ...process.env };
afterEach(() => (process.env = { ...before }));

const hash = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest();

test('a request is signed anew, as the documentation of AWS has it', async () => {
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: 'AKID',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_SESSION_TOKEN: 'token',
  });
  const sign = await openSigner('es', 'eu-central-1');
  const body = Buffer.from('{"a":1}');
  const { headers, ...rest } = await sign({
    method: 'POST',
    path: '/index/_doc?b=2&a=1',
    headers: [
      ['Host', 'search.example'],
      ['Authorization', 'AWS4-HMAC-SHA256 old'],
      ['X-Amz-Date', 'old'],
      ['Content-Type', 'application/json'],
      ['X-Own', '1'],
    ],
    body,
  });
  expect(rest).toEqual({ method: 'POST', path: '/index/_doc?b=2&a=1', body });
  const found = new Map(headers.map(([name, value]) => [name.toLowerCase(), value]));
  expect(headers.filter(([name]) => /^authorization$/i.test(name))).toHaveLength(1);
  expect(found.get('x-own')).toBe('1');
  const [, scope = '', names = '', signature] =
    /Credential=AKID\/(\S+), SignedHeaders=(\S+), Signature=(\S+)$/.exec(found.get('authorization')!) ?? [];
  expect(names.split(';')).toEqual(
    expect.arrayContaining(['host', 'content-type', 'x-amz-date', 'x-amz-security-token']),
  );
  const canonical = [
    'POST',
    '/index/_doc',
    'a=1&b=2',
    ...names.split(';').map((name) => `${name}:${found.get(name)}`),
    '',
    names,
    hash(body),
  ].join('\n');
  const [day = '', region = '', service = ''] = scope.split('/');
  const key = hmac(hmac(hmac(hmac('AWS4secret', day), region), service), 'aws4_request');
  const toSign = ['AWS4-HMAC-SHA256', found.get('x-amz-date'), scope, hash(canonical)].join('\n');
  expect(hmac(key, toSign).toString('hex')).toBe(signature);
});

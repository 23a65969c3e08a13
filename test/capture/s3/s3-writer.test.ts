import { createHash, createHmac } from 'node:crypto';
import http, { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { crc32, gunzipSync } from 'node:zlib';
import { openS3Writer } from '../../../capture/s3/s3-writer';
import type { CaptureWriter } from '../../../capture/contract/store';

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const before = { ...process.env };
const seen: Seen[] = [];
let respond: (response: ServerResponse, seen: Seen) => void;
let server: http.Server;
let writer: CaptureWriter;

beforeEach(async () => {
  seen.length = 0;
  respond = (response) => response.end();
  server = http.createServer((request, response) => void serve(request, response)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'AKID',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_SESSION_TOKEN: 'token',
  });
  writer = await openS3Writer('bucket', 'a b/é/', { id: 'n', startedMs: 0 });
});

afterEach(async () => {
  await writer.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  process.env = { ...before };
});

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '', url: path = '', headers } = request;
  const each = { method, path, headers: headers as Record<string, string>, body: await buffer(request) };
  seen.push(each);
  respond(response, each);
}

const append = (part: number) => writer.append(part, [{ key: `c${part}`, bytes: Buffer.from([part]) }]);

const hash = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest();

/** By the documentation of AWS alone. */
function computeSignature({ method, path, headers, body }: Seen, scope: string, names: string): string {
  const [url = '', query = ''] = path.split('?');
  const lines = names.split(';').map((name) => `${name}:${headers[name]}`);
  const canonical = [method, url, query, ...lines, '', names, headers['x-amz-content-sha256'] ?? hash(body)].join('\n');
  const [day = '', region = '', service = ''] = scope.split('/');
  const key = hmac(hmac(hmac(hmac('AWS4secret', day), region), service), 'aws4_request');
  const toSign = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, hash(canonical)].join('\n');
  return hmac(key, toSign).toString('hex');
}

test('each write is an object, signed and with its checksum; those after the first one without the SDK', async () => {
  for (const part of [1, 2, 3]) await append(part);
  expect(seen.map(({ method, path }) => `${method} ${path.split('?')[0]}`)).toEqual(
    [1, 2, 3].map((part) => `PUT /bucket/a%20b/%C3%A9/1970-01-01T00/n/000000000${part}.proto.gz`),
  );
  // Each call of the SDK says so.
  expect(seen.map(({ headers }) => 'amz-sdk-invocation-id' in headers)).toEqual([true, false, false]);
  for (const [at, each] of seen.entries()) {
    const { headers, body } = each;
    expect(gunzipSync(body).toString()).toBe(`c${at + 1}|${Buffer.from([at + 1]).toString('base64')}\n`);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(body));
    expect(headers).toMatchObject({
      'content-type': 'application/gzip',
      'content-length': String(body.length),
      'x-amz-checksum-crc32': sum.toString('base64'),
      'x-amz-content-sha256': hash(body),
      'x-amz-security-token': 'token',
    });
    const [, scope = '', names = '', signature] =
      /Credential=AKID\/(\S+), SignedHeaders=(\S+), Signature=(\S+)$/.exec(headers['authorization']!) ?? [];
    expect(scope).toMatch(/^\d{8}\/eu-central-1\/s3\/aws4_request$/);
    expect(names.split(';')).toEqual(expect.arrayContaining(['host', 'x-amz-checksum-crc32', 'x-amz-date']));
    expect(signature).toBe(computeSignature(each, scope, names));
  }
});

test('what S3 rejects is sent once more by the SDK, whose error it is', async () => {
  await append(1);
  respond = (response) => {
    response.writeHead(403, { 'content-type': 'application/xml' });
    response.end('<Error><Code>AccessDenied</Code><Message>Not allowed</Message></Error>');
  };
  await expect(append(2)).rejects.toThrow('Not allowed');
  expect(seen.map(({ headers }) => 'amz-sdk-invocation-id' in headers)).toEqual([true, false, true]);
  respond = (response) => response.end();
  await append(2);
  expect(seen.length).toBe(4);
});

test('a clock that is wrong is corrected, as the SDK does it', async () => {
  await append(1);
  const hour = 3_600_000;
  const isLate = ({ headers }: Seen) => {
    const [, y, mo, d, h, mi, s] = /^(....)(..)(..)T(..)(..)(..)Z$/.exec(headers['x-amz-date']!)!.map(Number);
    return Date.UTC(y!, mo! - 1, d, h, mi, s) < Date.now() + hour / 2;
  };
  respond = (response, each) => {
    response.setHeader('date', new Date(Date.now() + hour).toUTCString());
    if (!isLate(each)) return void response.end();
    response.writeHead(403, { 'content-type': 'application/xml' });
    response.end('<Error><Code>RequestTimeTooSkewed</Code><Message>The clock is wrong</Message></Error>');
  };
  await expect(append(2)).rejects.toThrow('The clock is wrong');
  await append(2);
  expect(isLate(seen.at(-1)!)).toBe(false);
});

test('a connection that is cut fails the write', async () => {
  await append(1);
  respond = (response) => response.destroy();
  await expect(append(2)).rejects.toThrow(/socket hang up|ECONNRESET|aborted/);
  respond = (response) => response.end();
  await append(2);
  expect(seen.at(-1)!.path).toMatch(/0000000002\.proto\.gz/);
});

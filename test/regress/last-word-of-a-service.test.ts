import { Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { limited } from '../../lambda/adapters/client/limited';
import { CLIENT_CONFIG } from '../../lambda/adapters/client/client-config';

// A service that throttled each attempt was said not to respond at all, and people looked for a fault of their network. On a computer whose
// clock is wrong an object that is not there was asked for again until the time was over: the SDK takes each response for a correction
// of its clock, and sends again what failed for another reason.

/** The SDK pauses for up to a second before the second attempt at a service that throttles. */
const RETRIED_MS = 2_000;

let server: Server;
let asked = 0;
let respond: { status: number; code: string; aheadMs: number };

beforeEach(async () => {
  asked = 0;
  server = createServer((_, response) => {
    asked += 1;
    const { status, code, aheadMs } = respond;
    // Another clock at each response, as of a service of many machines.
    const date = new Date(Date.now() + aheadMs + asked * 1_000).toUTCString();
    response.writeHead(status, { 'content-type': 'application/xml', date });
    response.end(`<Error><Code>${code}</Code><Message>as it is</Message></Error>`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

function read(limitMs: number): Promise<unknown> {
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credentials = { accessKeyId: 'A', secretAccessKey: 'b' };
  const client = new S3Client({
    ...CLIENT_CONFIG,
    endpoint,
    credentials,
    region: 'eu-central-1',
    forcePathStyle: true,
  });
  const command = new GetObjectCommand({ Bucket: 'store', Key: 'lock.json' });
  const send = () => limited('S3', client, limitMs).send(command);
  return send().finally(() => client.destroy());
}

test.each([
  [500, 'InternalError'],
  [503, 'SlowDown'],
])('what a service said to the last attempt is in the message: %i %s', async (status, code) => {
  respond = { status, code, aheadMs: 0 };
  const error = await read(RETRIED_MS).then(
    () => undefined,
    (reason: unknown) => reason as Error,
  );
  expect(error).toMatchObject({ name: 'AwsUnavailable' });
  expect(error?.message).toMatch(new RegExp(`^S3 must respond to GetObject.*, got ${status} ${code}`));
  expect(asked).toBeGreaterThan(1);
});

test.each([-20 * 60_000, 20 * 60_000])(
  'an object that is not there is not asked for again by a clock that is %i ms off',
  async (aheadMs) => {
    respond = { status: 404, code: 'NoSuchKey', aheadMs };
    await expect(read(900)).rejects.toMatchObject({ name: 'NoSuchKey' });
    expect(asked).toBe(1);
  },
);

test('a request that was rejected for its time is sent again by the right clock', async () => {
  respond = { status: 403, code: 'RequestTimeTooSkewed', aheadMs: 20 * 60_000 };
  await expect(read(RETRIED_MS)).rejects.toBeInstanceOf(Error);
  expect(asked).toBeGreaterThan(1);
});

import { openS3Source } from '../../../capture/s3/s3-source';
import { openS3Writer } from '../../../capture/s3/s3-writer';
import { readParts } from '../../../capture/read/part-merge';
import { encodeTrafficStream } from '../../../core/capture/traffic-stream';
import { LocalCloud, startLocalCloud } from '../../rehearsal/aws/world';
import { T0, get, part, read } from '../../support/recorded';

let cloud: LocalCloud;
const before = { ...process.env };
beforeEach(async () => {
  cloud = await startLocalCloud();
  Object.assign(process.env, {
    ...{
      AWS_ENDPOINT_URL: cloud.url,
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'OPERATOR',
      AWS_SECRET_ACCESS_KEY: 'none',
    },
  });
});
afterEach(async () => {
  process.env = { ...before };
  await cloud.stop();
});

const record = (ms: number) => {
  const stream = part(0, [read(ms, get(`/${ms}`))], { connectionId: `c${ms}` });
  return { key: stream.connectionId, bytes: encodeTrafficStream(stream) };
};

test('what several processes wrote to a bucket is read by its time, and what they add is followed', async () => {
  const [a, b] = await Promise.all(['a', 'b'].map((id) => openS3Writer('store', 'shop/', { id, startedMs: T0 })));
  await a!.append(1, [record(1), record(4)]);
  await a!.append(2, [record(5)]);
  await b!.append(1, [record(2), record(3), record(6)]);
  const other = await openS3Writer('store', 'other/', { id: 'c', startedMs: T0 });
  await other.append(1, [record(0)]);
  const reader = readParts(await openS3Source('store', 'shop/'));
  const stop = new AbortController();
  const seen: number[] = [];
  const warn = (text: string) => {
    throw new Error(text);
  };
  for await (const { records } of reader.read({ signal: stop.signal, follow: true, warn })) {
    seen.push(...records.map(({ timeMs }) => timeMs - T0));
    if (seen.length === 6) await b!.append(2, [record(7)]);
    if (seen.length === 7) stop.abort();
  }
  expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7]);
  const one = readParts(await openS3Source('store', 'shop/2026-09-21T14/b/0000000002.proto.gz'));
  const times: number[] = [];
  for await (const { records } of one.read({
    signal: new AbortController().signal,
    follow: false,
    warn,
  }))
    times.push(...records.map(({ timeMs }) => timeMs - T0));
  expect(times).toEqual([7]);
});

test('a bucket that is not there is an error with its name', async () => {
  const reader = readParts(await openS3Source('nowhere', ''));
  const all = { signal: new AbortController().signal, follow: false, warn: () => undefined };
  await expect(async () => {
    for await (const batch of reader.read(all)) expect(batch).toBeUndefined();
  }).rejects.toThrow(/'s3:\/\/nowhere\/' must be a bucket that can be listed, got NoSuchBucket/);
});

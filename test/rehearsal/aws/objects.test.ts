import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectAclCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { LocalCloud, nameOfFailure, startLocalCloud } from './world';

let cloud: LocalCloud;
beforeEach(async () => {
  cloud = await startLocalCloud();
});
afterEach(() => cloud.stop());

const Bucket = 'store';
const put = (Key: string, Body: string, more = {}) =>
  cloud.s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
const get = async (Key: string) => {
  const { Body } = await cloud.s3.send(new GetObjectCommand({ Bucket, Key }));
  return Body?.transformToString();
};

test('an object reads back with its type, metadata and checksum, whatever its key', async () => {
  const key = 'a b/ü+c&d=%41?.json';
  const { ETag } = await put(key, '{"a":1}', { ContentType: 'application/json', Metadata: { owner: 'me' } });
  const read = await cloud.s3.send(new GetObjectCommand({ Bucket, Key: key }));
  expect(await read.Body?.transformToString()).toBe('{"a":1}');
  expect(read).toMatchObject({ ETag, ContentType: 'application/json', Metadata: { owner: 'me' } });
  const head = await cloud.s3.send(new HeadObjectCommand({ Bucket, Key: key }));
  expect(head).toMatchObject({ ETag, ContentLength: 7 });
});

test('a stream arrives without its chunk framing', async () => {
  const Body = Readable.from([Buffer.from('hello '), Buffer.from('world\r\n0\r\n')]);
  await cloud.s3.send(new PutObjectCommand({ Bucket, Key: 'streamed', Body, ContentLength: 16 }));
  expect(await get('streamed')).toBe('hello world\r\n0\r\n');
});

test('a body that does not fit its checksum is rejected', async () => {
  expect(await nameOfFailure(put('bad', 'body', { ChecksumCRC32: 'AAAAAA==' }))).toBe('BadDigest');
  expect(cloud.objects.find(Bucket, 'bad')).toBeUndefined();
});

test('of two that want to be first, exactly one is', async () => {
  const race = ['one', 'two'].map((body) => put('lock', body, { IfNoneMatch: '*' }).then(() => body));
  const results = await Promise.allSettled(race);
  const winners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []));
  expect(failures).toMatchObject([{ name: 'PreconditionFailed', $metadata: { httpStatusCode: 412 } }]);
  expect(winners).toEqual([await get('lock')]);
});

test('a write that expects another state of the object does nothing', async () => {
  const first = await put('state', 'one');
  const second = await put('state', 'two', { IfMatch: first.ETag });
  expect(await nameOfFailure(put('state', 'three', { IfMatch: first.ETag }))).toBe('PreconditionFailed');
  expect(await nameOfFailure(put('absent', 'x', { IfMatch: first.ETag }))).toBe('NoSuchKey');
  expect(await get('state')).toBe('two');
  const remove = (IfMatch?: string) => cloud.s3.send(new DeleteObjectCommand({ Bucket, Key: 'state', IfMatch }));
  expect(await nameOfFailure(remove(first.ETag))).toBe('PreconditionFailed');
  await remove(second.ETag);
  await remove();
  expect(await nameOfFailure(get('state'))).toBe('NoSuchKey');
});

test('a conditional read responds 304 for what the client has', async () => {
  const { ETag } = await put('page', 'text');
  const read = cloud.s3.send(new GetObjectCommand({ Bucket, Key: 'page', IfNoneMatch: ETag }));
  await expect(read).rejects.toMatchObject({ $metadata: { httpStatusCode: 304 } });
});

test('a missing bucket or key and an unknown feature are errors of their names', async () => {
  const calls = [
    cloud.s3.send(new GetObjectCommand({ Bucket: 'other', Key: 'a' })),
    get('missing'),
    cloud.s3.send(new HeadObjectCommand({ Bucket, Key: 'missing' })),
    cloud.s3.send(new HeadBucketCommand({ Bucket: 'other' })),
    cloud.s3.send(new GetObjectAclCommand({ Bucket, Key: 'missing' })),
  ];
  const names = ['NoSuchBucket', 'NoSuchKey', 'NotFound', 'NotFound', 'NotImplemented'];
  expect(await Promise.all(calls.map(nameOfFailure))).toEqual(names);
});

test('a listing has prefixes, common prefixes and pages', async () => {
  for (const key of ['a/1', 'a/2', 'b', 'c/1']) await put(key, key);
  const top = await cloud.s3.send(new ListObjectsV2Command({ Bucket, Delimiter: '/' }));
  expect(top.Contents?.map(({ Key }) => Key)).toEqual(['b']);
  expect(top.CommonPrefixes).toEqual([{ Prefix: 'a/' }, { Prefix: 'c/' }]);
  const first = await cloud.s3.send(new ListObjectsV2Command({ Bucket, MaxKeys: 3 }));
  const rest = await cloud.s3.send(
    new ListObjectsV2Command({ Bucket, ContinuationToken: first.NextContinuationToken }),
  );
  expect([first.IsTruncated, rest.IsTruncated]).toEqual([true, false]);
  expect([...(first.Contents ?? []), ...(rest.Contents ?? [])].map(({ Key }) => Key)).toEqual([
    'a/1',
    'a/2',
    'b',
    'c/1',
  ]);
  const none = await cloud.s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'z' }));
  expect(none.KeyCount).toBe(0);
  expect((await cloud.s3.send(new ListBucketsCommand({}))).Buckets).toMatchObject([{ Name: Bucket }]);
});

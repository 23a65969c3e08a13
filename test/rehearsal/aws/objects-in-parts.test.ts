import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { AwsError } from '../../../rehearsal/errors/aws-error';
import { REGION, LocalCloud, nameOfFailure, startLocalCloud } from './world';

let cloud: LocalCloud;
beforeEach(async () => {
  cloud = await startLocalCloud();
});
afterEach(() => cloud.stop());

const Bucket = 'store';
const MIB = 1024 * 1024;
/** The least that a part may have, but for the last. */
const FIRST = Buffer.alloc(5 * MIB, 'a');
const REST = Buffer.from('the rest');
const put = (Key: string, Body: string, more = {}) =>
  cloud.s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
const get = (Key: string, more = {}) => cloud.s3.send(new GetObjectCommand({ Bucket, Key, ...more }));
const readText = async (Key: string, more = {}) => (await get(Key, more)).Body?.transformToString();

describe('a range', () => {
  beforeEach(() => put('digits', '0123456789'));

  test.each([
    ['bytes=2-4', '234', 'bytes 2-4/10'],
    ['bytes=8-', '89', 'bytes 8-9/10'],
    ['bytes=-3', '789', 'bytes 7-9/10'],
    ['bytes=-30', '0123456789', 'bytes 0-9/10'],
    ['bytes=9-99', '9', 'bytes 9-9/10'],
  ])('%s is served as asked', async (Range, text, ContentRange) => {
    const read = await get('digits', { Range });
    expect([await read.Body?.transformToString(), read.ContentRange]).toEqual([text, ContentRange]);
    expect([read.$metadata.httpStatusCode, read.ContentLength]).toEqual([206, text.length]);
    const head = await cloud.s3.send(new HeadObjectCommand({ Bucket, Key: 'digits', Range }));
    expect([head.ContentLength, head.ContentRange]).toEqual([text.length, ContentRange]);
  });

  test.each(['bytes=1-2,4-5', 'bytes=5-2', 'lines=1-2', 'bytes=-', 'bytes=a-b'])(
    '%s is none, and the whole is served',
    async (Range) => {
      const read = await get('digits', { Range });
      expect([read.$metadata.httpStatusCode, await read.Body?.transformToString()]).toEqual([200, '0123456789']);
    },
  );

  test('behind the end is an error, also of an empty object', async () => {
    cloud.objects.put(Bucket, 'empty', Buffer.alloc(0));
    for (const [Key, Range] of [
      ['digits', 'bytes=10-'],
      ['digits', 'bytes=-0'],
      ['empty', 'bytes=0-0'],
    ] as const) {
      await expect(get(Key, { Range })).rejects.toMatchObject({
        name: 'InvalidRange',
        $metadata: { httpStatusCode: 416 },
      });
    }
  });

  test('of another version of the object is not mixed with it', async () => {
    const { ETag } = await get('digits');
    expect(await readText('digits', { Range: 'bytes=2-4', IfMatch: ETag })).toBe('234');
    await put('digits', 'abcdefghij');
    expect(await nameOfFailure(get('digits', { Range: 'bytes=2-4', IfMatch: ETag }))).toBe('PreconditionFailed');
  });
});

test('conditions of a read by time', async () => {
  await put('page', 'text');
  const [before, after] = [new Date(0), new Date(Date.now() + 60_000)];
  expect(await nameOfFailure(get('page', { IfUnmodifiedSince: before }))).toBe('PreconditionFailed');
  await expect(get('page', { IfModifiedSince: after })).rejects.toMatchObject({ $metadata: { httpStatusCode: 304 } });
  expect(await readText('page', { IfModifiedSince: before, IfUnmodifiedSince: after })).toBe('text');
  // An ETag counts before a time.
  const { ETag } = await get('page');
  expect(await readText('page', { IfMatch: ETag, IfUnmodifiedSince: before })).toBe('text');
});

test.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const)('%s is checked and given back', async (name) => {
  const written = await put('sum', '123456789', { ChecksumAlgorithm: name });
  const read = await get('sum', { ChecksumMode: 'ENABLED' });
  expect(await read.Body?.transformToString()).toBe('123456789');
  expect([read[`Checksum${name}`], read.ChecksumType]).toEqual([written[`Checksum${name}`], 'FULL_OBJECT']);
  expect((await get('sum', { ChecksumMode: 'ENABLED', Range: 'bytes=0-1' }))[`Checksum${name}`]).toBeUndefined();
  expect(await nameOfFailure(put('sum', 'other', { [`Checksum${name}`]: written[`Checksum${name}`] }))).toBe(
    'BadDigest',
  );
});

async function upload(Key: string, bodies: readonly Buffer[], more = {}) {
  const { UploadId } = await cloud.s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ...more }));
  const Parts = [];
  for (const [index, Body] of bodies.entries()) {
    const part = { Bucket, Key, UploadId, PartNumber: index + 1, Body };
    const { ETag, ...sums } = await cloud.s3.send(new UploadPartCommand({ ...part, ...more }));
    Parts.push({ PartNumber: index + 1, ETag, ChecksumCRC32: sums.ChecksumCRC32, ChecksumSHA256: sums.ChecksumSHA256 });
  }
  return { Bucket, Key, UploadId, MultipartUpload: { Parts } };
}

const complete = (of: Awaited<ReturnType<typeof upload>>, more = {}) =>
  cloud.s3.send(new CompleteMultipartUploadCommand({ ...of, ...more }));

test('an upload in parts becomes one object', async () => {
  const of = await upload('big', [FIRST, REST], { ContentType: 'text/plain', ChecksumAlgorithm: 'SHA256' });
  const { Uploads } = await cloud.s3.send(new ListMultipartUploadsCommand({ Bucket }));
  expect(Uploads).toMatchObject([{ Key: 'big', UploadId: of.UploadId }]);
  const { Parts } = await cloud.s3.send(new ListPartsCommand(of));
  expect(Parts?.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual([
    [1, FIRST.length],
    [2, REST.length],
  ]);
  expect(await nameOfFailure(get('big'))).toBe('NoSuchKey');
  const { ETag, ChecksumSHA256, ChecksumType } = await complete(of);
  expect([ETag, ChecksumSHA256, ChecksumType]).toEqual([
    expect.stringMatching(/^"[0-9a-f]{32}-2"$/),
    expect.stringMatching(/-2$/),
    'COMPOSITE',
  ]);
  expect(cloud.objects.find(Bucket, 'big')?.body.equals(Buffer.concat([FIRST, REST]))).toBe(true);
  const part = await get('big', { PartNumber: 2 });
  expect([await part.Body?.transformToString(), part.PartsCount, part.ContentType]).toEqual([
    'the rest',
    2,
    'text/plain',
  ]);
  expect(await nameOfFailure(get('big', { PartNumber: 3 }))).toBe('InvalidPartNumber');
  expect(await nameOfFailure(complete(of))).toBe('NoSuchUpload');
});

test('an upload in parts may have the sum of the whole, and a condition', async () => {
  const sums = { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' };
  const bodies = [FIRST, REST];
  const { ChecksumCRC32 } = await put('whole', Buffer.concat(bodies).toString());
  const of = await upload('parts', bodies, sums);
  await put('parts', 'first');
  expect(await nameOfFailure(complete(of, { IfNoneMatch: '*' }))).toBe('PreconditionFailed');
  expect(await nameOfFailure(complete(of, { ChecksumCRC32: 'AAAAAA==', ChecksumType: 'FULL_OBJECT' }))).toBe(
    'BadDigest',
  );
  expect(await complete(of)).toMatchObject({ ChecksumCRC32, ChecksumType: 'FULL_OBJECT' });
});

test('parts that do not fit together are errors of their names', async () => {
  const of = await upload('odd', [REST, REST]);
  const [one, two] = of.MultipartUpload.Parts;
  const completing = (Parts: unknown[]) => nameOfFailure(complete(of, { MultipartUpload: { Parts } }));
  expect(await completing([one, two])).toBe('EntityTooSmall');
  expect(await completing([two, one])).toBe('InvalidPartOrder');
  expect(await completing([{ ...one, ETag: '"0"' }])).toBe('InvalidPart');
  expect(await completing([{ ...one, PartNumber: 7 }])).toBe('InvalidPart');
  expect(await completing([])).toBe('MalformedXML');
  await complete(of, { MultipartUpload: { Parts: [two] } });
  expect(await readText('odd')).toBe('the rest');
  const dropped = await upload('dropped', [REST]);
  const part = new UploadPartCommand({ ...dropped, PartNumber: 10_001, Body: REST });
  expect(await nameOfFailure(cloud.s3.send(part))).toBe('InvalidArgument');
  await cloud.s3.send(new AbortMultipartUploadCommand(dropped));
  expect(await nameOfFailure(cloud.s3.send(new AbortMultipartUploadCommand(dropped)))).toBe('NoSuchUpload');
});

test('a copy is made of an object or of a part of it', async () => {
  const { ETag } = await put('from here', 'hello world', { Metadata: { owner: 'me' }, Tagging: 'a=1&b=x y' });
  const copy = (more = {}) =>
    cloud.s3.send(new CopyObjectCommand({ Bucket, Key: 'to', CopySource: `${Bucket}/from%20here`, ...more }));
  expect((await copy()).CopyObjectResult).toMatchObject({ ETag });
  expect((await get('to')).Metadata).toEqual({ owner: 'me' });
  const { TagSet } = await cloud.s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'to' }));
  expect(TagSet).toEqual([
    { Key: 'a', Value: '1' },
    { Key: 'b', Value: 'x y' },
  ]);
  await copy({ MetadataDirective: 'REPLACE', ContentType: 'text/x' });
  expect(await get('to')).toMatchObject({ Metadata: {}, ContentType: 'text/x' });
  expect(await nameOfFailure(copy({ Key: 'from here' }))).toBe('InvalidRequest');
  expect(await nameOfFailure(copy({ CopySource: `${Bucket}/none` }))).toBe('NoSuchKey');
  expect(await nameOfFailure(copy({ CopySourceIfMatch: '"other"' }))).toBe('PreconditionFailed');
  expect(await nameOfFailure(copy({ CopySourceIfNoneMatch: ETag }))).toBe('PreconditionFailed');
  const { UploadId } = await cloud.s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'joined' }));
  const from = { Bucket, Key: 'joined', UploadId, PartNumber: 1, CopySource: `${Bucket}/from%20here` };
  const part = await cloud.s3.send(new UploadPartCopyCommand({ ...from, CopySourceRange: 'bytes=6-10' }));
  const Parts = [{ PartNumber: 1, ETag: part.CopyPartResult?.ETag }];
  await complete({ ...from, MultipartUpload: { Parts } } as never);
  expect(await readText('joined')).toBe('world');
});

test('a bulk delete responds key by key, also for its rights', async () => {
  await cloud.stop();
  const authorize = ({ action, resources }: { action: string; resources: readonly string[] }) => {
    const isDenied = action === 's3:DeleteObject' && resources[0]?.endsWith('/kept');
    if (isDenied) throw new AwsError('AccessDenied', 'not this one');
  };
  cloud = await startLocalCloud({ authorize });
  for (const key of ['a', 'b & <c>', 'kept', 'changed']) await put(key, key);
  const Objects = ['a', 'b & <c>', 'kept', 'none'].map((Key) => ({ Key }));
  const remove = (Quiet: boolean, keys: { Key: string; ETag?: string }[]) =>
    cloud.s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: keys, Quiet } }));
  const { Deleted, Errors } = await remove(false, [...Objects, { Key: 'changed', ETag: '"old"' }]);
  expect(Deleted?.map(({ Key }) => Key)).toEqual(['a', 'b & <c>', 'none']);
  expect(Errors?.map(({ Key, Code }) => [Key, Code])).toEqual([
    ['kept', 'AccessDenied'],
    ['changed', 'PreconditionFailed'],
  ]);
  expect((await remove(true, [{ Key: 'changed' }])).Deleted).toBeUndefined();
  expect(cloud.objects.list(Bucket).map(({ key }) => key)).toEqual(['kept']);
});

test('the first version of a listing has pages by key', async () => {
  for (const key of ['a', 'b', 'c/1']) await put(key, key);
  const list = (more: object) => cloud.s3.send(new ListObjectsCommand({ Bucket, ...more }));
  const first = await list({ MaxKeys: 2, Delimiter: '/' });
  expect([first.Contents?.length, first.IsTruncated, first.NextMarker]).toEqual([2, true, 'b']);
  expect((await list({ Marker: 'b', Delimiter: '/' })).CommonPrefixes).toEqual([{ Prefix: 'c/' }]);
  const { LocationConstraint } = await cloud.s3.send(new GetBucketLocationCommand({ Bucket }));
  expect(LocationConstraint).toBe(REGION);
});

test('an address that was signed in advance needs no header', async () => {
  await put('page', 'text');
  const credential = encodeURIComponent(`OPERATOR/20260101/${REGION}/s3/aws4_request`);
  const url = `${cloud.url}/${Bucket}/page?X-Amz-Credential=${credential}&X-Amz-Signature=0&response-content-type=text/x`;
  const response = await fetch(url);
  expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
    200,
    'text/x',
    'text',
  ]);
  expect(cloud.calls.at(-1)).toMatchObject({ service: 's3', principal: 'OPERATOR' });
});

import { createHash } from 'node:crypto';
import { AwsError } from '../../../errors/aws-error';
import { Checksum } from './checksums';

export interface StoredObject {
  readonly key: string;
  readonly body: Buffer;
  /** Quoted, as HTTP writes it. */
  readonly etag: string;
  readonly modifiedAt: Date;
  /** `content-type`, `x-amz-meta-…`: what a read gives back. */
  readonly headers: Readonly<Record<string, string>>;
  readonly checksum?: Checksum;
  /** As a header writes them: `a=1&b=2`. */
  readonly tagging?: string;
  /** Where each part ends, of one that was uploaded in parts. */
  readonly partEnds?: readonly number[];
}

/** What a writer says of an object, beside its key. */
export interface ObjectContent {
  readonly body: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly checksum?: Checksum;
  readonly tagging?: string;
  readonly partEnds?: readonly number[];
  /** @default - the MD5 of the body */
  readonly etag?: string;
}

export interface Bucket {
  readonly name: string;
  readonly createdAt: Date;
  readonly objects: Map<string, StoredObject>;
}

/** What must be true of the present object. `*` stands for any. ETags may come without their quotes. */
export interface Condition {
  readonly ifMatch?: string;
  readonly ifNoneMatch?: string;
}

/**
 * The buckets of the account, in memory. A condition is checked and its write done in one turn, so of two writers that
 * both want to be first, exactly one is.
 */
export class ObjectStore {
  private readonly buckets = new Map<string, Bucket>();

  createBucket(name: string, now = new Date()): Bucket {
    const bucket = this.buckets.get(name) ?? { name, createdAt: now, objects: new Map<string, StoredObject>() };
    this.buckets.set(name, bucket);
    return bucket;
  }

  get all(): Bucket[] {
    return [...this.buckets.values()];
  }

  /** @throws AwsError NoSuchBucket */
  bucket(name: string): Bucket {
    const bucket = this.buckets.get(name);
    if (!bucket) throw new AwsError('NoSuchBucket', 'The specified bucket does not exist', 404);
    return bucket;
  }

  find(bucket: string, key: string): StoredObject | undefined {
    return this.bucket(bucket).objects.get(key);
  }

  /** @throws AwsError NoSuchBucket, NoSuchKey, PreconditionFailed */
  put(
    bucket: string,
    key: string,
    content: Buffer | ObjectContent,
    condition: Condition = {},
    now = new Date(),
  ): StoredObject {
    const { objects } = this.bucket(bucket);
    checkWrite(objects.get(key), condition);
    const {
      body,
      headers = {},
      etag = computeEtag(body),
      ...more
    } = Buffer.isBuffer(content) ? { body: content } : content;
    const object: StoredObject = { key, body, etag, modifiedAt: now, headers, ...more };
    objects.set(key, object);
    return object;
  }

  /** Deleting what is not there succeeds, unless there is a condition. @throws AwsError as {@link put} */
  delete(bucket: string, key: string, condition: Condition = {}): void {
    const { objects } = this.bucket(bucket);
    checkWrite(objects.get(key), condition);
    objects.delete(key);
  }

  /** In the order of the keys' UTF-8 bytes. */
  list(bucket: string, prefix = ''): StoredObject[] {
    return [...this.bucket(bucket).objects.values()]
      .filter(({ key }) => key.startsWith(prefix))
      .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  }
}

/** Quoted. */
export function computeEtag(body: Buffer): string {
  return `"${createHash('md5').update(body).digest('hex')}"`;
}

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html If-Match on a missing object is a 404
 */
function checkWrite(present: StoredObject | undefined, { ifMatch, ifNoneMatch }: Condition): void {
  if (ifNoneMatch !== undefined && present && fits(present, ifNoneMatch)) throw preconditionFailed();
  if (ifMatch === undefined) return;
  if (!present) throw noSuchKey();
  if (!fits(present, ifMatch)) throw preconditionFailed();
}

export function fits(object: StoredObject, etag: string): boolean {
  return etag === '*' || unquoted(etag) === unquoted(object.etag);
}

export function unquoted(etag: string): string {
  return etag.replace(/^"(.*)"$/, '$1');
}

export function noSuchKey(): AwsError {
  return new AwsError('NoSuchKey', 'The specified key does not exist.', 404);
}

export function preconditionFailed(): AwsError {
  return new AwsError('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', 412);
}

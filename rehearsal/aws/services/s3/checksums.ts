import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { AwsError } from '../../../errors/aws-error';
import { crc32c, crc64nvme } from './crc';

/** What S3 can compute of an object, by the end of its header's name. */
const ALGORITHMS: ReadonlyMap<string, (body: Buffer) => Buffer> = new Map([
  ['crc32', crc32Digest],
  ['crc32c', crc32c],
  ['crc64nvme', crc64nvme],
  ...['sha1', 'sha256', 'sha512', 'md5'].map(
    (name) => [name, (body: Buffer) => createHash(name).update(body).digest()] as const,
  ),
]);
const HEADER = 'x-amz-checksum-';
/** What is said of a checksum, beside the checksums. */
const OTHERS: readonly string[] = ['algorithm', 'type', 'mode'];

export interface Checksum {
  /** `crc32`. */
  readonly algorithm: string;
  /** In base64; of the parts' checksums it ends with their number: `…==-3`. */
  readonly value: string;
  readonly type: ChecksumType;
}

export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE';

/**
 * The checksum that came with a body.
 *
 * @throws AwsError BadDigest when it is another body's, NotImplemented for an algorithm that is not here
 */
export function checkedChecksum(fields: Readonly<Record<string, unknown>>, body: Buffer): Checksum | undefined {
  const claimed = claimedChecksum(fields);
  if (!claimed) return undefined;
  const { algorithm, value } = claimed;
  if (value !== computeChecksum(algorithm, body).toString('base64')) throw badDigest(algorithm.toUpperCase());
  return { algorithm, value, type: 'FULL_OBJECT' };
}

/** A checksum as headers tell it, unchecked. */
export function claimedChecksum(
  fields: Readonly<Record<string, unknown>>,
): { readonly algorithm: string; readonly value: string } | undefined {
  const name = Object.keys(fields).find(
    (each) => each.startsWith(HEADER) && !OTHERS.includes(each.slice(HEADER.length)),
  );
  const value = name === undefined ? undefined : fields[name];
  return name === undefined || typeof value !== 'string' ? undefined : { algorithm: name.slice(HEADER.length), value };
}

/** @throws AwsError NotImplemented */
export function computeChecksum(algorithm: string, body: Buffer): Buffer {
  const compute = ALGORITHMS.get(algorithm);
  if (compute) return compute(body);
  const names = [...ALGORITHMS.keys()].join(', ');
  throw new AwsError('NotImplemented', `the checksum must be one of ${names} to be rehearsed, got ${algorithm}`, 501);
}

/** An object's, as headers tell it. */
export function checksumHeaders(checksum: Checksum | undefined): Record<string, string> {
  return checksum ? { ...partHeaders(checksum), [`${HEADER}type`]: checksum.type } : {};
}

/** An object's, as XML tells it: `ChecksumCRC32`. */
export function checksumMembers(checksum: Checksum | undefined): Record<string, string> {
  return checksum ? { ...partMembers(checksum), ChecksumType: checksum.type } : {};
}

/** A part has no type. */
export function partHeaders(checksum: Checksum | undefined): Record<string, string> {
  return checksum ? { [`${HEADER}${checksum.algorithm}`]: checksum.value } : {};
}

export function partMembers(checksum: Checksum | undefined): Record<string, string> {
  return checksum ? { [findMember(checksum.algorithm)]: checksum.value } : {};
}

export function findMember(algorithm: string): string {
  return `Checksum${algorithm.toUpperCase()}`;
}

function crc32Digest(body: Buffer): Buffer {
  const digest = Buffer.alloc(4);
  digest.writeUInt32BE(crc32(body));
  return digest;
}

export function badDigest(kind: string): AwsError {
  return new AwsError('BadDigest', `The ${kind} you specified did not match the calculated checksum.`);
}

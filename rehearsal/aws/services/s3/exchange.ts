import type { IncomingHttpHeaders } from 'node:http';
import { Need, AwsObject } from '../../operations/operation';
import { HttpReply, AwsRequest } from '../../protocols/protocol';
import { xmlContent, xmlDocument } from '../../protocols/xml';
import { Condition, ObjectContent, ObjectStore } from './object-store';
import { S3Request } from './s3-request';

/** One request, with what its action works on. */
export interface Exchange {
  readonly asked: S3Request;
  readonly request: AwsRequest;
  readonly store: ObjectStore;
  readonly region: string;
  /** @throws AwsError AccessDenied */
  readonly demand: (need: Need) => void;
}

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';
export const XML = { 'content-type': 'application/xml' };
/** What a write says of its object that a read gives back. */
const KEPT: readonly string[] = [
  'content-type',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-aws-kms-key-id',
  'x-amz-storage-class',
];

export function xml(root: string, content: AwsObject, headers: Record<string, string> = {}): HttpReply {
  return { status: 200, headers: { ...XML, ...headers }, body: xmlDocument(root, NAMESPACE, xmlContent(content)) };
}

export function empty(status = 200, headers: Record<string, string> = {}): HttpReply {
  return { status, headers, body: '' };
}

export function bucketArn(bucket: string): string {
  return `arn:aws:s3:::${bucket}`;
}

export function findCondition({ headers }: AwsRequest): Condition {
  return { ifMatch: headers['if-match'], ifNoneMatch: headers['if-none-match'] };
}

/** What the headers of a write say of its object. */
export function describedBy(headers: IncomingHttpHeaders): Pick<ObjectContent, 'headers' | 'tagging'> {
  const kept = Object.entries(headers)
    .filter(([name]) => KEPT.includes(name) || name.startsWith('x-amz-meta-'))
    // How the body came is no part of what it is.
    .map(([name, value]) => [name, String(value).replace(/\baws-chunked\b,?\s*/, '')] as const)
    .filter(([, value]) => value !== '');
  const tagging = headers['x-amz-tagging'];
  return { headers: Object.fromEntries(kept), ...(typeof tagging === 'string' && { tagging }) };
}

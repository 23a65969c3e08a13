import { join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { openFileSource } from '../../capture/folder/file-source';
import type { KafkaAccess } from '../../capture/kafka/kafka-client';
import { readKafka } from '../../capture/kafka/kafka-source';
import { readParts } from '../../capture/read/part-merge';
import type { CaptureReader } from '../../capture/contract/reader';
import { KafkaUrl, STORE_URL_RULE, StoreUrl, needsLogin, parseStoreUrl } from '../../core/capture/store-url';
import type * as Aws from '../../replay/aws';
import { StatusPlace, openStatusFile } from '../../replay/status/place';

/** Reads the value of a flag. @throws InvalidArgumentError that says the rule */
export function storeFrom(text: string): StoreUrl {
  const store = parseStoreUrl(text);
  if (store) return store;
  throw new InvalidArgumentError(`must be ${STORE_URL_RULE}, got '${text}'`);
}

/** @throws Error that says why it cannot be read */
export async function openStore(store: StoreUrl): Promise<CaptureReader> {
  switch (store.kind) {
    case 'path':
      return readParts(await openFileSource(store.path));
    case 's3':
      return readParts(await (await loadAws()).openS3Source(store.bucket, store.prefix));
    case 'kafka':
      return readKafka(store, readAccess(store));
  }
}

/** An object of S3, or a file. */
export type StatusUrl = { readonly bucket: string; readonly key: string } | { readonly path: string };

/** Reads the value of a flag. @throws InvalidArgumentError that says the rule */
export function statusFrom(text: string): StatusUrl {
  const [, bucket, key] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/([^/\0].*\.json)$/s.exec(text) ?? [];
  if (bucket !== undefined && key !== undefined) return { bucket, key };
  if (!text.includes('://') && text.endsWith('.json') && !text.includes('\0')) return { path: text };
  throw new InvalidArgumentError(`must be a file or s3://BUCKET/KEY that ends with .json, got '${text}'`);
}

export async function openStatus(url: StatusUrl): Promise<StatusPlace> {
  return 'path' in url ? openStatusFile(url.path) : (await loadAws()).openS3Status(url.bucket, url.key);
}

/** As the proxies have it. @throws Error that names the variable that is missing */
function readAccess({ security }: KafkaUrl): KafkaAccess {
  const createToken = async (region: string | undefined) => (await loadAws()).createMskToken(region);
  const { DRAINSHIFT_CAPTURE_USER: user, DRAINSHIFT_CAPTURE_PASSWORD: password } = process.env;
  if (needsLogin(security))
    for (const [name, value] of Object.entries({
      DRAINSHIFT_CAPTURE_USER: user,
      DRAINSHIFT_CAPTURE_PASSWORD: password,
    }))
      if (value === undefined) throw new Error(`'${name}' must be set for kafka+${security}, got nothing`);
  return { user, password, createToken };
}

/** The AWS SDK is no dependency of the package: what needs it is a bundle of its own. */
export async function loadAws(): Promise<typeof Aws> {
  return (await import(join(__dirname, '..', '..', 'assets', 'cli', 'replay.js'))) as typeof Aws;
}

import { InvalidArgumentError } from 'commander';
import { orderPlace } from '../../core/replay/replay-status';
import { ParkedPlace, openParkedFile } from '../../replay/place/parked-place';
import { openTextFile } from '../../replay/place/file-text';
import type { TextPlace } from '../../replay/place/text-place';
import type { StatusPlace } from '../../replay/status/place';
import { loadAws } from './load-aws';

/** An object of S3, or a file. */
export type PlaceUrl = { readonly bucket: string; readonly key: string } | { readonly path: string };

/** Reads the value of a flag. @throws InvalidArgumentError that says the rule */
export function placeFrom(text: string): PlaceUrl {
  const place = parsePlace(text);
  if (place && !('key' in place && place.key.endsWith('/'))) return place;
  throw new InvalidArgumentError(`must be a file or s3://BUCKET/KEY, got '${text}'`);
}

/** The same of a status, which has its order beside it. */
export function statusFrom(text: string): PlaceUrl {
  const place = parsePlace(text);
  if (place && text.endsWith('.json')) return place;
  throw new InvalidArgumentError(`must be a file or s3://BUCKET/KEY that ends with .json, got '${text}'`);
}

/** The same of a file, or of what the names of objects begin with. */
export function parkedFrom(text: string): PlaceUrl {
  const place = parsePlace(text);
  if (place && !('key' in place && !place.key.endsWith('/'))) return place;
  throw new InvalidArgumentError(`must be a file or s3://BUCKET/PREFIX/, got '${text}'`);
}

function parsePlace(text: string): PlaceUrl | undefined {
  const [, bucket, key] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/([^/\0][^\0]*)$/.exec(text) ?? [];
  if (bucket !== undefined && key !== undefined) return { bucket, key };
  return text === '' || text.includes('://') || text.includes('\0') ? undefined : { path: text };
}

export async function openText(url: PlaceUrl): Promise<TextPlace> {
  return 'path' in url ? openTextFile(url.path) : (await loadAws()).openS3Text(url.bucket, url.key);
}

export async function openStatus(url: PlaceUrl): Promise<StatusPlace> {
  const order = 'path' in url ? { path: orderPlace(url.path) } : { ...url, key: orderPlace(url.key) };
  return { status: await openText(url), order: await openText(order) };
}

export async function openParked(url: PlaceUrl): Promise<ParkedPlace> {
  return 'path' in url ? openParkedFile(url.path) : (await loadAws()).openS3Parked(url.bucket, url.key);
}

/** As the flag has it. */
export function formatPlace(url: PlaceUrl): string {
  return 'path' in url ? url.path : `s3://${url.bucket}/${url.key}`;
}

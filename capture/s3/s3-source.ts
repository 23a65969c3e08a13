import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { PART_SUFFIX, placePart } from '../../core/capture/part-name';
import { ListedNode } from './listed-node';
import type { Part, PartSource } from '../contract/part-source';

/** More pages are not listed at each poll: then nodes are asked for what is new, and all of it is listed from time to time. */
const MAX_PAGES = 5;
const LIST_ALL_MS = 30_000;

/**
 * Parts in a bucket of S3. Credentials, region and endpoint are those of the environment, as the AWS SDK finds them.
 *
 * @param prefix of all parts, or the key of one
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
 */
export async function openS3Source(bucket: string, prefix: string): Promise<PartSource> {
  const sdk = await import('@aws-sdk/client-s3');
  const bucketSource = new BucketSource(new sdk.S3Client({ maxAttempts: 5 }), sdk, bucket, prefix);
  return { grows: !prefix.endsWith(PART_SUFFIX), list: (signal, isComplete) => bucketSource.list(signal, isComplete) };
}

class BucketSource {
  private readonly nodes = new Map<string, ListedNode>();
  private listedMs = -Infinity;
  private pages = 0;

  constructor(
    private readonly client: S3Client,
    private readonly sdk: typeof import('@aws-sdk/client-s3'),
    private readonly bucket: string,
    private readonly prefix: string,
  ) {}

  async list(signal: AbortSignal, isComplete: boolean): Promise<readonly Part[]> {
    try {
      return await this.listNew(signal, isComplete);
    } catch (error) {
      if (signal.aborted) return [];
      const { name, message } = error as Error;
      const place = `s3://${this.bucket}/${this.prefix}`;
      throw new Error(`'${place}' must be a bucket that can be listed, got ${name}: ${message}`, { cause: error });
    }
  }

  private async listNew(signal: AbortSignal, isComplete: boolean): Promise<readonly Part[]> {
    const isAll = this.pages <= MAX_PAGES || performance.now() - this.listedMs >= LIST_ALL_MS;
    const found = isAll ? await this.listAll(signal) : await this.listAdded(signal, isComplete);
    for (const { node, name } of found) {
      const listed = this.nodes.get(node) ?? new ListedNode(this.findFolder(node));
      this.nodes.set(node, listed);
      listed.add(name.slice(`s3://${this.bucket}/`.length));
    }
    return found;
  }

  private async listAll(signal: AbortSignal): Promise<Part[]> {
    this.listedMs = performance.now();
    const { parts, pages } = await this.listFrom(this.prefix, undefined, signal);
    this.pages = pages;
    return parts;
  }

  /** @param isComplete also of processes that were not known when all was listed */
  private async listAdded(signal: AbortSignal, isComplete: boolean): Promise<Part[]> {
    const fresh = isComplete ? await this.findNewNodes(signal) : [];
    const wanted = [
      ...fresh.map((folder) => this.listFrom(folder, undefined, signal)),
      ...[...this.nodes].map(([node, listed]) =>
        this.listFrom(this.findFolder(node), listed.after(isComplete), signal),
      ),
    ];
    return (await Promise.all(wanted)).flatMap(({ parts }) => parts);
  }

  /** Folders of processes that have written their first part since all was listed; they are below the hour of their start. */
  private async findNewNodes(signal: AbortSignal): Promise<string[]> {
    const hours = await this.listFolders(this.prefix, signal);
    const nodes = (await Promise.all(hours.map((hour) => this.listFolders(hour, signal)))).flat();
    return nodes.filter((folder) => !this.nodes.has(folder.slice(this.prefix.length, -1)));
  }

  private findFolder(node: string): string {
    return `${this.prefix}${node === '' ? '' : `${node}/`}`;
  }

  private async listFolders(prefix: string, signal: AbortSignal): Promise<string[]> {
    const folders: string[] = [];
    let token: string | undefined;
    do {
      const page = await this.client.send(
        new this.sdk.ListObjectsV2Command({
          ...{ Bucket: this.bucket, Prefix: prefix, Delimiter: '/' },
          ...(token !== undefined && { ContinuationToken: token }),
        }),
        { abortSignal: signal },
      );
      folders.push(...(page.CommonPrefixes ?? []).flatMap(({ Prefix }) => Prefix ?? []));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return folders;
  }

  private async listFrom(
    prefix: string,
    after: string | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly parts: Part[]; readonly pages: number }> {
    const parts: Part[] = [];
    let pages = 0;
    let token: string | undefined;
    do {
      const page = await this.client.send(
        new this.sdk.ListObjectsV2Command({
          Bucket: this.bucket,
          Prefix: prefix,
          ...(after !== undefined && { StartAfter: after }),
          ...(token !== undefined && { ContinuationToken: token }),
        }),
        { abortSignal: signal },
      );
      pages += 1;
      for (const { Key = '', LastModified, Size = 0 } of page.Contents ?? []) {
        if (Key.endsWith(PART_SUFFIX)) parts.push(this.describe(Key, LastModified?.getTime() ?? Infinity, Size));
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return { parts, pages };
  }

  private describe(key: string, writtenMs: number, bytes: number): Part {
    return {
      name: `s3://${this.bucket}/${key}`,
      ...placePart(key.slice(this.prefix.endsWith(PART_SUFFIX) ? 0 : this.prefix.length)),
      writtenMs,
      bytes,
      open: async () => {
        const { Body } = await this.client.send(new this.sdk.GetObjectCommand({ Bucket: this.bucket, Key: key }));
        return Body as Readable;
      },
    };
  }
}

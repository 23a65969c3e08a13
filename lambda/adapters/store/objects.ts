import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectCommandOutput,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { CutoverError } from '../../../core/errors/errors';
import { oneLine } from '../../../core/text/one-line';

/** With a pause between them that grows from this, in all about two seconds. */
const CONFLICT_ATTEMPTS = 6;
const CONFLICT_PAUSE_MS = 50;

/** The condition of a write does not hold: the object is another one, or (for If-Match) gone. */
const CONDITION_FAILED = ['PreconditionFailed', 'NoSuchKey'];
/** Another write was under way: the condition was not looked at, and the same write may succeed now. */
const CONFLICT = 'ConditionalRequestConflict';

export interface StoredText {
  readonly text: string;
  readonly writtenAtMs: number;
  /** When it was read, by the clock of S3. */
  readonly nowMs: number;
  readonly etag: string | undefined;
}

interface ShortText {
  /** Undefined when it is longer than asked for. */
  readonly text: string | undefined;
  readonly writtenAtMs: number;
}

export interface WriteCondition {
  readonly IfNoneMatch?: string;
  readonly IfMatch?: string;
}

export interface Written {
  readonly etag: string | undefined;
}

function findWrittenAtMs({ LastModified }: GetObjectCommandOutput): number {
  return LastModified?.getTime() ?? 0;
}

/** JSON objects of one bucket. */
export class Objects {
  /** Of the last response: the clock of the caller may be minutes off, and a lock must not end by it. */
  private storeNowMs: number | undefined;

  constructor(
    private readonly client: S3Client,
    private readonly bucket: string,
    private readonly options: { readonly abortSignal?: AbortSignal },
  ) {
    client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        const { headers } = result.response as { readonly headers?: Readonly<Record<string, string>> };
        const dateMs = Date.parse(headers?.date ?? '');
        if (!Number.isNaN(dateMs)) this.storeNowMs = dateMs;
        return result;
      },
      { step: 'deserialize', name: 'storeClock' },
    );
  }

  /** @returns false when the condition did not hold */
  async put(key: string, value: unknown, condition: WriteCondition): Promise<boolean> {
    return (await this.write(key, value, condition)) !== undefined;
  }

  /** @returns what was written, as it is known by its ETag; undefined when the condition did not hold */
  async write(key: string, value: unknown, condition: WriteCondition): Promise<Written | undefined> {
    const body = { Body: JSON.stringify(value), ContentType: 'application/json' };
    return this.holds(new PutObjectCommand({ Bucket: this.bucket, Key: key, ...body, ...condition }));
  }

  async delete(key: string, etag: string | undefined): Promise<boolean> {
    const command = new DeleteObjectCommand({ Bucket: this.bucket, Key: key, IfMatch: etag });
    return (await this.holds(command)) !== undefined;
  }

  /** Fetches nothing of it. */
  async exists(key: string): Promise<boolean> {
    try {
      await this.client.send(new HeadObjectCommand({ Bucket: this.bucket, Key: key }), this.options);
      return true;
    } catch (error) {
      // The response to HEAD has no body that could name another code.
      if (error instanceof Error && error.name === 'NotFound') return false;
      throw error;
    }
  }

  async read(key: string): Promise<StoredText | undefined> {
    const found = await this.get(key);
    if (!found) return undefined;
    const text = (await found.Body?.transformToString()) ?? '';
    const writtenAtMs = findWrittenAtMs(found);
    return { text, writtenAtMs, nowMs: this.storeNowMs ?? Date.now(), etag: found.ETag };
  }

  /** Fetches no more of an object that anybody may have written than it can be. */
  async readShort(key: string, maxBytes: number): Promise<ShortText | undefined> {
    const found = await this.get(key);
    if (!found) return undefined;
    const writtenAtMs = findWrittenAtMs(found);
    if ((found.ContentLength ?? 0) <= maxBytes) return { text: await found.Body?.transformToString(), writtenAtMs };
    (found.Body as Readable | undefined)?.destroy();
    return { text: undefined, writtenAtMs };
  }

  private async get(key: string): Promise<GetObjectCommandOutput | undefined> {
    try {
      return await this.client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }), this.options);
    } catch (error) {
      if (error instanceof Error && error.name === 'NoSuchKey') return undefined;
      throw error;
    }
  }

  /**
   * A conflict says nothing of the condition: the write is tried again, and only a failed condition is one.
   *
   * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html#conditional-write-error-response
   */
  private async holds(command: PutObjectCommand | DeleteObjectCommand): Promise<Written | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        // The client's overloads take one command each.
        if (command instanceof PutObjectCommand) {
          return { etag: (await this.client.send(command, this.options)).ETag };
        }
        await this.client.send(command, this.options);
        return { etag: undefined };
      } catch (error) {
        const name = error instanceof Error ? error.name : '';
        if (CONDITION_FAILED.includes(name)) return undefined;
        if (name !== CONFLICT) throw error;
        if (attempt === CONFLICT_ATTEMPTS) throw conflict(command, error);
        await pause(CONFLICT_PAUSE_MS * 2 ** attempt * Math.random());
      }
    }
  }
}

function conflict({ input }: PutObjectCommand | DeleteObjectCommand, cause: unknown): CutoverError {
  const rule = `S3 must take a conditional write of '${input.Key}' within ${CONFLICT_ATTEMPTS} attempts`;
  const got = oneLine(cause instanceof Error ? cause.message : String(cause));
  return new CutoverError('AwsUnavailable', `${rule}, got ${CONFLICT}: ${got}`, { cause });
}

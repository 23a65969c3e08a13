import type { IncomingMessage } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { TransferOrder } from '../../core/proxy/state-transfer';
import {
  CURSOR_PATTERN,
  STATE_FIELDS,
  StatePart,
  readImport,
  readWhy,
  statePath,
} from '../../core/state/http-contract';
import type { Upstream } from '../data-plane/contract/data-plane';
import { Upstreams, findBackend, ownFields, readResponse, requestUpstream, streamUpstream } from './own-request';

/** What a copy has come to. */
export interface CopyFigures {
  bytes: number;
  resumed: number;
  keys?: number;
  cursor?: string;
}

/** It will not be otherwise at the next attempt: the application has said no, or something that is no response. */
class Rejected extends Error {}

/** It may be otherwise at the next attempt, and says when. */
class Later extends Error {
  constructor(
    message: string,
    readonly pauseMs: number,
  ) {
    super(message);
  }
}

/** Connections in a row after which the importer has no more than before. */
const MAX_IN_VAIN = 5;
const PAUSE_MS = 200;
const MAX_PAUSE_MS = 30_000;
/** With those from 500 on: of now, and not of what was asked (RFC 9110 section 15, RFC 6585). */
const TRANSIENT = [408, 425, 429];
const ASK_MS = 5_000;

/**
 * Copies the export of one backend into the other one, as fast as the slower of both. A connection that breaks is begun again at the byte
 * that the importer has (RFC 9110 section 14, with `If-Range`), where the export has an ETag; from the beginning otherwise.
 *
 * @param figures kept up to date
 * @throws Error with the reason
 */
export async function copyState(
  order: TransferOrder,
  upstreams: Upstreams,
  figures: CopyFigures,
  signal: AbortSignal,
): Promise<void> {
  const copy = new Copy(order, upstreams, figures, signal);
  for (let [inVain, arrived] = [0, 0]; ;) {
    try {
      return await copy.attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Rejected) throw error;
      await copy.findOffset();
      // What has left the one backend is no progress: it must be at the other one.
      inVain = copy.arrived > arrived ? 1 : inVain + 1;
      arrived = copy.arrived;
      if (inVain >= MAX_IN_VAIN) throw error;
      const pauseMs = error instanceof Later ? Math.min(error.pauseMs, MAX_PAUSE_MS) : 0;
      await delay(Math.max(PAUSE_MS * inVain, pauseMs), undefined, { signal });
      figures.resumed += 1;
    }
  }
}

/** What an export responds with. */
interface Exported {
  readonly body: Readable;
  readonly type?: string;
}

class Copy {
  private offset = 0;
  private etag: string | undefined;
  private readonly source: Upstream;
  private readonly target: Upstream;

  constructor(
    private readonly order: TransferOrder,
    upstreams: Upstreams,
    private readonly figures: CopyFigures,
    private readonly signal: AbortSignal,
  ) {
    this.source = findBackend(upstreams, order.from);
    this.target = findBackend(upstreams, order.to);
  }

  /** The bytes that the importer had when it was asked last. */
  get arrived(): number {
    return this.offset;
  }

  async attempt(): Promise<void> {
    const { order, figures, target } = this;
    const exported = await this.openExport();
    const since = findSince(order);
    const own = {
      method: 'POST',
      path: findPath(order, 'import', { id: order.id, offset: String(this.offset), ...since }),
      headers: { ...ownFields(order), 'content-type': exported.type ?? 'application/octet-stream' },
    };
    figures.bytes = this.offset;
    const response = await streamUpstream(target, { ...own, body: this.count(exported.body), signal: this.signal });
    const imported = readImport(await this.readJson(response, 'import', order.to));
    if ('problem' in imported) throw new Rejected(`'import' of the ${order.to} ${imported.problem}`);
    const { bytes, keys } = imported;
    if (bytes !== figures.bytes)
      throw new Rejected(`'import' of the ${order.to} must have ${figures.bytes} bytes, got ${bytes}`);
    if (keys !== undefined) figures.keys = keys;
  }

  /** Where the importer stands: what it has, an export of the same state goes on behind. */
  async findOffset(): Promise<void> {
    const { order, target } = this;
    this.offset = 0;
    if (this.etag === undefined) return;
    const path = findPath(order, 'import', { id: order.id });
    const own = { method: 'GET', path, headers: ownFields(order), timeoutMs: ASK_MS };
    try {
      const { status, body } = await requestUpstream(target, own);
      const imported = status === 200 ? readImport(parseJson(body)) : undefined;
      if (imported && 'bytes' in imported) this.offset = imported.bytes;
    } catch {
      // It is asked for all of it again, and says then what is wrong.
    }
  }

  private async openExport(): Promise<Exported> {
    const { order, source, signal, figures, offset, etag } = this;
    const isRest = offset > 0 && etag !== undefined;
    const headers = { ...ownFields(order), ...(isRest && { range: `bytes=${offset}-`, 'if-range': etag }) };
    const path = findPath(order, 'export', findSince(order));
    const exported = await streamUpstream(source, { method: 'GET', path, headers, signal });
    const { statusCode, headers: fields } = exported;
    if (isRest && !isSameRest(exported, etag)) {
      exported.destroy();
      // All of it has arrived, and no response said so (RFC 9110 section 15.5.17).
      if (statusCode === 416 && fields['content-range'] === `bytes */${offset}`) return { body: Readable.from([]) };
      this.offset = 0;
      return this.openExport();
    }
    if (statusCode === 206) this.checkRange(exported);
    else if (statusCode === 200) this.offset = 0;
    else await this.readJson(exported, 'export', order.from);
    this.checkEnd(exported);
    // A weak one says that it means the same, and not that its bytes are (RFC 9110 section 8.8.1).
    this.etag = fields.etag?.startsWith('"') ? fields.etag : undefined;
    const cursor = fields[STATE_FIELDS.cursor];
    if (typeof cursor === 'string' && CURSOR_PATTERN.test(cursor)) figures.cursor = cursor;
    else delete figures.cursor;
    return { body: exported, ...(fields['content-type'] !== undefined && { type: fields['content-type'] }) };
  }

  /** One that ends with its connection ends in the same way where its backend is killed (RFC 9112 section 6.3). */
  private checkEnd(exported: IncomingMessage): void {
    const { 'content-length': length, 'transfer-encoding': coding } = exported.headers;
    if (length !== undefined || coding !== undefined) return;
    exported.destroy();
    throw new Rejected(`'export' of the ${this.order.from} must have a Content-Length or come in chunks, got neither`);
  }

  private checkRange(exported: IncomingMessage): void {
    const { 'content-range': range = 'none' } = exported.headers;
    if (Number(/^bytes (\d+)-/.exec(range)?.[1]) === this.offset) return;
    exported.destroy();
    throw new Rejected(`'export' of the ${this.order.from} must begin at byte ${this.offset}, got ${range}`);
  }

  private count(exported: Readable): Readable {
    const { figures, order } = this;
    const counted = new PassThrough();
    exported.on('data', (chunk: Buffer) => {
      figures.bytes += chunk.length;
      if (figures.bytes > order.maxBytes)
        exported.destroy(new Rejected(`the state must have at most ${order.maxBytes} bytes, got more`));
    });
    exported.once('error', (error) => counted.destroy(error));
    counted.once('close', () => exported.destroy());
    return exported.pipe(counted);
  }

  /** @throws Rejected where it says no, Error where another attempt may help */
  private async readJson(response: IncomingMessage, part: 'export' | 'import', side: string): Promise<unknown> {
    const { status, body, retryAfter } = await readResponse(response);
    const parsed = parseJson(body);
    const name = `'${part}' of the ${side}`;
    const why = readWhy(parsed);
    if (status === 200) {
      if (why !== undefined) throw new Rejected(`${name} must succeed, got ${why}`);
      return parsed ?? body;
    }
    const message = `${name} must respond with 200, got ${status}${why === undefined ? '' : `: ${why}`}`;
    const isOfNow = status >= 500 || TRANSIENT.includes(status);
    throw isOfNow ? new Later(message, 1000 * (Number(retryAfter) || 0)) : new Rejected(message);
  }
}

/** Parts of two states are no state (RFC 9110 section 15.3.7.3). Other responses are judged as those to a whole one. */
function isSameRest({ statusCode, headers }: IncomingMessage, etag: string): boolean {
  return statusCode !== 416 && (statusCode !== 206 || headers.etag === etag);
}

function findSince({ since }: TransferOrder): Record<string, string> {
  return since === undefined ? {} : { since };
}

function findPath({ path }: TransferOrder, part: StatePart, query: Readonly<Record<string, string>>): string {
  const parameters = new URLSearchParams(query).toString();
  return `${statePath(path, part)}${parameters === '' ? '' : `?${parameters}`}`;
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

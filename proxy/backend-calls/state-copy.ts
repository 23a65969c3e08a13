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

/** Connections in a row that brought nothing further. */
const MAX_IN_VAIN = 5;
const PAUSE_MS = 200;
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
  for (let inVain = 0; ;) {
    const before = figures.bytes;
    try {
      return await copy.attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Rejected) throw error;
      inVain = figures.bytes > before ? 1 : inVain + 1;
      if (inVain >= MAX_IN_VAIN) throw error;
      await delay(PAUSE_MS * inVain, undefined, { signal });
      await copy.findOffset();
      figures.resumed += 1;
    }
  }
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

  async attempt(): Promise<void> {
    const { order, figures, target } = this;
    const exported = await this.openExport();
    const since = findSince(order);
    const own = {
      method: 'POST',
      path: findPath(order, 'import', { id: order.id, offset: String(this.offset), ...since }),
      headers: { ...ownFields(order), 'content-type': exported.headers['content-type'] ?? 'application/octet-stream' },
    };
    figures.bytes = this.offset;
    const response = await streamUpstream(target, { ...own, body: this.count(exported), signal: this.signal });
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

  private async openExport(): Promise<IncomingMessage> {
    const { order, source, signal, figures, offset, etag } = this;
    const isRest = offset > 0 && etag !== undefined;
    const headers = { ...ownFields(order), ...(isRest && { range: `bytes=${offset}-`, 'if-range': etag }) };
    const path = findPath(order, 'export', findSince(order));
    const exported = await streamUpstream(source, { method: 'GET', path, headers, signal });
    const { statusCode, headers: fields } = exported;
    if (statusCode === 206) this.checkRange(exported);
    else if (statusCode === 200) this.offset = 0;
    else await this.readJson(exported, 'export', order.from);
    // A weak one says that it means the same, and not that its bytes are (RFC 9110 section 8.8.1).
    this.etag = fields.etag?.startsWith('"') ? fields.etag : undefined;
    const cursor = fields[STATE_FIELDS.cursor];
    if (typeof cursor === 'string' && CURSOR_PATTERN.test(cursor)) figures.cursor = cursor;
    else delete figures.cursor;
    return exported;
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
    const { status, body } = await readResponse(response);
    const parsed = parseJson(body);
    const name = `'${part}' of the ${side}`;
    const why = readWhy(parsed);
    if (status === 200) {
      if (why !== undefined) throw new Rejected(`${name} must succeed, got ${why}`);
      return parsed ?? body;
    }
    const message = `${name} must respond with 200, got ${status}${why === undefined ? '' : `: ${why}`}`;
    throw status >= 500 ? new Error(message) : new Rejected(message);
  }
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

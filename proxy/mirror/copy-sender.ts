import http from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import type { ComparedResponse } from '../../core/compare/response';
import type { MirrorFailure } from '../../core/mirror/mirror-counts';
import { formatHostPort } from '../../core/validation/host-port';
import type { Upstream } from '../data-plane/contract/data-plane';
import { NameLookup } from './name-lookup';

/** A request as it is sent. */
export interface Copy {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** Name and value in turns. */
  readonly fields: readonly string[];
  readonly body: readonly Buffer[];
  /** RFC 9110 section 9.2.1. */
  readonly isSafe: boolean;
}

export type CopyEnd =
  | { readonly response: ComparedResponse }
  /** `isOutage`: others got none, either. */
  | { readonly failure: MirrorFailure; readonly isOutage?: boolean };

export interface CopySenderOptions {
  readonly maxConnections: number;
  /** For all of one copy. */
  readonly timeoutMs: number;
  /** Of a longer response no more is read. */
  readonly maxResponseBytes: number;
  readonly nowMs: () => number;
}

/** What says that a connection is there. */
type Connected = 'connect' | 'secureConnect';

/** A body is not expected of them. */
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'DELETE']);
/** The system's word for a kept connection that the other side has closed. */
const STALE: ReadonlySet<string | undefined> = new Set(['ECONNRESET', 'EPIPE']);

/** Sends copies on connections of their own, over HTTP/1.1. */
export class CopySender {
  private readonly agent: http.Agent;
  private readonly module: typeof http | typeof https;

  constructor(
    private readonly to: Upstream,
    private readonly options: CopySenderOptions,
  ) {
    const { maxConnections: maxSockets, nowMs } = options;
    const { lookup } = new NameLookup(nowMs);
    const pool = { keepAlive: true, maxSockets, scheduling: 'lifo', lookup } as http.AgentOptions;
    const isTls = to.protocol === 'https';
    this.module = isTls ? https : http;
    const { verifyCertificate: rejectUnauthorized = true, authorities: ca, host, serverName = host } = to;
    // Otherwise it would be that of `Host`.
    const servername = isIP(serverName) === 0 ? serverName : '';
    this.agent = isTls
      ? new https.Agent({ ...pool, rejectUnauthorized, servername, ...(ca !== undefined && { ca }) })
      : new http.Agent(pool);
  }

  /**
   * @param room for so many bytes of a response; false where there is none
   * @param ended is called once, later. It must not throw
   * @returns what gives it up: `ended` is not called then
   * @throws Error of a field that Node.js does not send
   */
  send(copy: Copy, room: (bytes: number) => boolean, ended: (end: CopyEnd) => void): () => void {
    const connected: Connected = this.module === https ? 'secureConnect' : 'connect';
    const call = (listen: (call: http.ClientRequest) => void) => this.call(copy, listen);
    const exchange = new CopyExchange({ ...this.options, connected, call, room, isSafe: copy.isSafe }, ended);
    exchange.begin();
    return () => exchange.giveUp();
  }

  private call(copy: Copy, listen: (call: http.ClientRequest) => void): void {
    const { method, url, fields, body } = copy;
    const { host, port, localAddress } = this.to;
    const call = this.module.request({
      ...{ host, port, method, path: url, agent: this.agent, setHost: false },
      ...(localAddress !== undefined && { localAddress }),
      // Flat, so that repeated fields and their order stay.
      headers: [...fields, ...this.listOwnFields(copy)] as unknown as http.OutgoingHttpHeaders,
    });
    listen(call);
    for (const piece of body) call.write(piece);
    call.end();
  }

  /** A body has a length, also where it was chunked; and a request of HTTP/1.0 may have no `Host`. */
  private listOwnFields({ method, fields, body }: Copy): string[] {
    const bytes = body.reduce((sum, { length }) => sum + length, 0);
    const hasHost = fields.some((name, at) => at % 2 === 0 && name.toLowerCase() === 'host');
    return [
      ...(hasHost ? [] : ['Host', formatHostPort(this.to)]),
      ...(bytes === 0 && BODILESS.has(method) ? [] : ['Content-Length', String(bytes)]),
    ];
  }

  close(): void {
    this.agent.destroy();
  }
}

interface CopyExchangeOptions extends CopySenderOptions, Pick<Copy, 'isSafe'> {
  readonly connected: Connected;
  readonly room: (bytes: number) => boolean;
  readonly call: (listen: (call: http.ClientRequest) => void) => void;
}

/** `connecting`: it has no connection yet. `reached`: it is on one. `over`: it has its end, or was given up. */
type CopyState = 'connecting' | 'reached' | 'over';

/** One copy and the response to it. */
class CopyExchange {
  private current: http.ClientRequest | undefined;
  private state: CopyState = 'connecting';
  private hasRepeated = false;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly options: CopyExchangeOptions,
    private readonly ended: (end: CopyEnd) => void,
  ) {
    this.timer = setTimeout(() => this.settle({ failure: 'late' }), options.timeoutMs);
  }

  begin(): void {
    try {
      this.options.call((call) => this.listen(call));
    } catch (error) {
      this.giveUp();
      throw error;
    }
  }

  giveUp(): void {
    this.state = 'over';
    clearTimeout(this.timer);
    this.current?.destroy();
  }

  private listen(call: http.ClientRequest): void {
    this.current = call;
    const fail = (error?: NodeJS.ErrnoException) => {
      if (this.state === 'over' || this.current !== call) return;
      // A connection that was closed while it was idle says nothing about the target.
      if (call.reusedSocket && STALE.has(error?.code) && this.options.isSafe && !this.hasRepeated) return this.repeat();
      this.settle({ failure: this.state === 'reached' ? 'broken' : 'unreached' });
    };
    call.on('error', fail);
    call.on('close', () => fail());
    call.on('socket', (socket) => {
      const reach = () => {
        if (this.state === 'connecting' && this.current === call) this.state = 'reached';
      };
      if (socket.connecting) socket.once(this.options.connected, reach);
      else reach();
    });
    call.on('response', (response) => this.receive(response));
  }

  private repeat(): void {
    this.hasRepeated = true;
    this.state = 'connecting';
    try {
      this.options.call((call) => this.listen(call));
    } catch {
      this.settle({ failure: 'broken' });
    }
  }

  private receive(response: http.IncomingMessage): void {
    const pieces: Buffer[] = [];
    let bytes = 0;
    const done = (isCut: boolean) => {
      const { statusCode: status = 0, rawHeaders } = response;
      const said = { status, fields: pairFields(rawHeaders), body: Buffer.concat(pieces) };
      this.settle({ response: isCut ? { ...said, isBodyCut: true } : said });
    };
    response.on('data', (piece: Buffer) => {
      if (this.state === 'over') return;
      const room = Math.min(piece.length, this.options.maxResponseBytes - bytes);
      const isKept = this.options.room(room);
      if (isKept) pieces.push(room < piece.length ? piece.subarray(0, room) : piece);
      bytes += room;
      if (!isKept || room < piece.length) done(true);
    });
    response.on('end', () => response.complete && done(false));
    response.on('error', () => undefined);
    response.on('close', () => this.settle({ failure: 'broken' }));
  }

  private settle(end: CopyEnd): void {
    if (this.state === 'over') return;
    this.state = 'over';
    clearTimeout(this.timer);
    const isCut = !('response' in end) || end.response.isBodyCut === true;
    // The connection of a whole response is kept.
    if (isCut) this.current?.destroy();
    this.ended(end);
  }
}

function pairFields(flat: readonly string[]): (readonly [string, string])[] {
  return Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at]!, flat[2 * at + 1]!] as const);
}

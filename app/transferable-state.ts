import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { STATE_FIELDS, STATE_PARTS, StatePart } from '../core/state/http-contract';
import { digestMaps, listDigests } from './digests';
import { Exports } from './exports';
import { Imports } from './imports';
import { FrozenError, MapLike, guard } from './maps';

/**
 * What of an application goes along.
 *
 * @example
 * const options: TransferableStateOptions = { path: '/internal/state', maps: { sessions: new Map(), carts: new Map() } };
 * const state = new TransferableState(options);
 */
export interface TransferableStateOptions {
  /** The path that the plan has at `switch.state.http.path`, such as `/internal/state`. Everything below it is answered here. */
  readonly path: string;
  /** Maps by name. Values are what JSON can say; both backends have the same names. */
  readonly maps: Readonly<Record<string, MapLike>>;
}

/** `(request, response, next)`, as Express and Connect want it. */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/** What of Fastify is needed here. */
export interface FastifyLike {
  readonly raw: IncomingMessage;
}
export interface FastifyReplyLike {
  readonly raw: ServerResponse;
  hijack(): unknown;
}

/** Of the last switch that was committed when the request was made. */
const EPOCH_FIELD = 'x-drainshift-epoch';
const SAFE = ['GET', 'HEAD', 'OPTIONS'];
const METHODS: Readonly<Record<StatePart, readonly string[]>> = {
  freeze: ['POST'],
  export: ['GET'],
  import: ['GET', 'POST', 'DELETE'],
  digest: ['GET'],
  thaw: ['POST'],
};

/** An error of the caller, with its status. */
class Rejected extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/**
 * The state of an application in memory that goes along to another backend in a switch. It responds to the calls of the cutover below one path,
 * and rejects writes while the state is moved: requests with other methods than GET, HEAD and OPTIONS get 503, and writes to the maps throw
 * `FrozenError`. The contract is in docs/state.md.
 *
 * @example
 * const carts = new Map<string, string[]>();
 * const state = new TransferableState({ path: '/internal/state', maps: { carts } });
 * const server = http.createServer(
 *   state.wrap((request, response) => {
 *     response.end(JSON.stringify(carts.get('1') ?? []));
 *   }),
 * );
 */
export class TransferableState {
  private readonly exports: Exports;
  private readonly imports: Imports;
  private readonly maps: Readonly<Record<string, MapLike>>;
  private readonly prefix: string;
  /** Of the call that acted last. */
  private last = { epoch: 0, isThaw: false };
  private frozen = false;

  /** @throws TypeError for a path that does not begin with a slash, and without a map */
  constructor({ path, maps }: TransferableStateOptions) {
    if (!/^\/[!"$-~]+$/.test(path) || path.includes('?'))
      throw new TypeError(`'path' must be a path such as /internal/state, got '${path}'`);
    if (Object.keys(maps).length === 0) throw new TypeError("'maps' must have one map at least, got none");
    this.prefix = `${path.replace(/\/$/, '')}/`;
    const isFrozen = () => this.frozen;
    this.maps = Object.fromEntries(Object.entries(maps).map(([name, map]) => [name, guard(name, map, isFrozen)]));
    this.exports = new Exports(this.maps);
    this.imports = new Imports(this.maps);
  }

  /** Whether the state is being moved, and no write is accepted. */
  get isFrozen(): boolean {
    return this.frozen;
  }

  /**
   * Responds to a call of the cutover, and to a write while the state is frozen.
   *
   * @returns whether it has: if not, the request is the application's
   */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const { method = 'GET', url = '/' } = request;
    if (url.startsWith(this.prefix)) {
      this.serve(request, response).catch((error: unknown) => fail(response, error));
      return true;
    }
    if (!this.frozen || SAFE.includes(method)) return false;
    const headers = { 'retry-after': '1' };
    reply(
      request,
      response,
      503,
      { error: 'no write is accepted while the state is moved to another backend' },
      headers,
    );
    return true;
  }

  /** For `http.createServer`. */
  wrap(
    listener: (request: IncomingMessage, response: ServerResponse) => void,
  ): (request: IncomingMessage, response: ServerResponse) => void {
    return (request, response) => {
      if (!this.handle(request, response)) listener(request, response);
    };
  }

  /** For `app.use(…)` of Express and Connect, before anything that reads bodies. */
  express(): Middleware {
    return (request, response, next) => {
      // Express takes away the path that a middleware is mounted at.
      const { originalUrl } = request as { originalUrl?: string };
      const { url } = request;
      if (originalUrl !== undefined) request.url = originalUrl;
      const isOurs = this.handle(request, response);
      if (url !== undefined) request.url = url;
      if (!isOurs) next();
    };
  }

  /** For `fastify.addHook('onRequest', …)`. */
  fastify(): (request: FastifyLike, reply: FastifyReplyLike, done: () => void) => void {
    return (request, reply, done) => {
      if (this.handle(request.raw, reply.raw)) reply.hijack();
      else done();
    };
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = request;
    const [path = '', query = ''] = url.slice(this.prefix.length).split('?', 2);
    const part = STATE_PARTS.find((each) => each === path);
    // Each request of a client has one, and none of the cutover.
    if (headers['x-forwarded-for'] !== undefined) throw new Rejected(403, 'this path is for the cutover alone');
    if (!part) throw new Rejected(404, `the path must end with one of ${STATE_PARTS.join(', ')}`);
    if (method === 'OPTIONS') return reply(request, response, 200, { ok: true });
    if (!METHODS[part].includes(method))
      throw new Rejected(405, `'${part}' must be called by ${METHODS[part].join(', ')}`);
    const parameters = new URLSearchParams(query);
    switch (part) {
      case 'freeze':
      case 'thaw':
        return reply(request, response, 200, await this.follow(part, request));
      case 'export':
        return this.export(request, response, parameters.get('since') ?? undefined);
      case 'import':
        return reply(request, response, 200, await this.import(method, request, parameters));
      case 'digest':
        if (!parameters.has('keys')) return reply(request, response, 200, await digestMaps(this.maps));
        return send(response, 200, {}, listDigests(this.maps));
    }
  }

  /** Calls may arrive late: within an epoch a thaw comes after a freeze. */
  private async follow(part: 'freeze' | 'thaw', request: IncomingMessage): Promise<object> {
    const epoch = await readEpoch(request);
    const { last } = this;
    const isThaw = part === 'thaw';
    const isLate = epoch < last.epoch || (epoch === last.epoch && last.isThaw && !isThaw);
    if (isLate) return { ok: false, why: `a call of epoch ${last.epoch} came before` };
    const isRepeated = epoch === last.epoch && last.isThaw && isThaw;
    this.last = { epoch, isThaw };
    this.frozen = !isThaw;
    // A thaw that is tried again may come when the next copy has begun.
    if (isThaw && !isRepeated) {
      this.imports.keep();
      this.exports.forget();
    }
    return { ok: true, epoch };
  }

  private async export(request: IncomingMessage, response: ServerResponse, since: string | undefined): Promise<void> {
    if (since !== undefined) {
      const changes = this.exports.since(since);
      if (!changes) throw new Rejected(409, `'since' must be the cursor of the last export, got '${since}'`);
      return send(response, 200, { [STATE_FIELDS.cursor]: since }, changes);
    }
    const offset = readOffset(request);
    const id = /^"([^"]+)"$/.exec(String(request.headers['if-range'] ?? ''))?.[1];
    const rest = id !== undefined && offset !== undefined ? this.exports.resume(id, offset) : undefined;
    const lines = rest ?? this.exports.begin();
    const headers = { etag: `"${this.exports.id}"`, [STATE_FIELDS.cursor]: this.exports.id, 'accept-ranges': 'bytes' };
    // How much there will be is not known before it was written.
    if (rest) return send(response, 206, { ...headers, 'content-range': `bytes ${offset}-/*` }, lines);
    return send(response, 200, headers, lines);
  }

  private async import(method: string, request: IncomingMessage, parameters: URLSearchParams): Promise<object> {
    const epoch = Number(request.headers[EPOCH_FIELD] ?? Infinity);
    const { last } = this;
    // It comes late: clients have written here since.
    if (last.isThaw && epoch < last.epoch)
      throw new Rejected(409, `an import must be of epoch ${last.epoch} or later, which serves here, got ${epoch}`);
    if (method === 'DELETE') {
      this.imports.discard();
      return { ok: true };
    }
    const id = parameters.get('id');
    if (id === null || id === '') throw new Rejected(400, "'id' must be given");
    if (method === 'GET') {
      const { bytes = 0, keys = 0 } = this.imports.find(id) ?? {};
      return { ok: true, bytes, keys };
    }
    const offset = Number(parameters.get('offset') ?? 0);
    if (!Number.isSafeInteger(offset) || offset < 0) throw new Rejected(400, `'offset' must be a count of bytes`);
    // A body that is rejected is read to its end all the same: its sender hears why.
    const body = request.iterator({ destroyOnReturn: false });
    const { bytes, keys } = await this.imports.apply(id, body, offset, !parameters.has('since'));
    return { ok: true, bytes, keys };
  }
}

async function readEpoch(request: IncomingMessage): Promise<number> {
  const { body } = request as { body?: unknown };
  let call: unknown = body;
  if (typeof call !== 'object' || call === null) {
    try {
      call = JSON.parse(await text(request));
    } catch {
      throw new Rejected(400, 'the body must be JSON');
    }
  }
  const { epoch } = (call ?? {}) as { epoch?: unknown };
  if (typeof epoch === 'number' && Number.isSafeInteger(epoch) && epoch >= 0) return epoch;
  throw new Rejected(400, "'epoch' must be a whole number");
}

function readOffset({ headers: { range } }: IncomingMessage): number | undefined {
  const [, digits] = /^bytes=(\d{1,15})-$/.exec(range ?? '') ?? [];
  return digits === undefined ? undefined : Number(digits);
}

async function send(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string | undefined>>,
  lines: AsyncGenerator<string>,
): Promise<void> {
  // What is wrong with the first entries is a status; later the response can only break off.
  const first = await lines.next();
  response.writeHead(status, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store', ...headers });
  async function* all() {
    if (!first.done) yield first.value;
    yield* lines;
  }
  await pipeline(Readable.from(all()), response);
}

function reply(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  const json = JSON.stringify(body);
  const length = Buffer.byteLength(json);
  response.writeHead(status, {
    ...{ 'content-type': 'application/json', 'content-length': length, 'cache-control': 'no-store' },
    ...headers,
  });
  response.end(json);
  request.resume();
}

function fail(response: ServerResponse, error: unknown): void {
  const { req: request } = response;
  if (response.headersSent || request.socket.destroyed) return void response.destroy();
  const status = error instanceof Rejected ? error.status : error instanceof FrozenError ? error.statusCode : 422;
  reply(request, response, status, { ok: false, why: error instanceof Error ? error.message : String(error) });
}

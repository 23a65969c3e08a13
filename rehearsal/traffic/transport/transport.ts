export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Sends the body without a length, in pieces. */
  readonly chunked?: boolean;
}

export interface HttpResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** One client's way to send requests: a kept-alive connection, a connection each, an HTTP/2 session. */
export interface Transport {
  /** How many requests a client of it has under way: one on a connection of HTTP/1.1. */
  readonly maxAtOnce: number;
  /** @throws Error when there is no whole response. */
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): void;
}

/** In the time of this machine (`MachineTime`). Longer than any pause that a cutover may make on purpose. */
export const RESPONSE_TIMEOUT_MS = 15_000;

/** A request without a response, and whether a correct client may send it again. */
export class NoResponse extends Error {
  constructor(
    message: string,
    readonly maySendAgain: boolean,
  ) {
    super(message);
  }
}

/** The body in pieces of 8 KiB, as an upload of unknown length comes. */
export function* pieces(body: Buffer): Generator<Buffer> {
  for (let start = 0; start < body.length; start += 8192) yield body.subarray(start, start + 8192);
}

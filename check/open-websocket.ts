import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { ClientOptions, WebSocket } from 'ws';
import { CheckTarget, showError, withCookies } from './target';

/** What a WebSocket says, from its first byte on. */
export interface SocketEvents {
  readonly onMessage?: (text: string) => void;
  readonly onPing?: () => void;
  readonly onPong?: (data: string) => void;
  /** @param code of the Close frame; 1005 without a code, 1006 without the frame */
  readonly onClose?: (code: number, reason: string) => void;
}

export interface Opening {
  /** Where it opened. */
  readonly socket?: WebSocket;
  /** Of the response; absent where there was none. */
  readonly status?: number;
  readonly headers: IncomingHttpHeaders;
  /** The start of the body of a rejection. */
  readonly body?: string;
  /** Why it did not open. */
  readonly problem?: string;
}

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const MAX_SHOWN_BYTES = 1024;

/** What beside the target an opening may need. */
export interface OpenOptions {
  readonly cookie?: string;
  /** Offers permessage-deflate. */
  readonly compresses?: boolean;
  /** Is given its socket before that is connected. */
  readonly onSocket?: (socket: Socket) => void;
}

/** Opens one WebSocket; it never throws. A redirect is a rejection. */
export function openWebSocket(
  target: CheckTarget,
  events: SocketEvents,
  signal: AbortSignal,
  { cookie, compresses = false, onSocket }: OpenOptions = {},
): Promise<Opening> {
  const { url, headers, subprotocols, insecure, timeoutMs, startLimit } = target;
  const options: ClientOptions = {
    headers: withCookies(headers, cookie) as Record<string, string>,
    rejectUnauthorized: !insecure,
    ...(startLimit === undefined && { handshakeTimeout: timeoutMs }),
    perMessageDeflate: compresses,
    maxPayload: MAX_MESSAGE_BYTES,
    finishRequest: (request) => {
      if (onSocket) request.on('socket', onSocket);
      request.end();
    },
  };
  const socket = new WebSocket(url, [...subprotocols], options);
  socket.on('message', (data, isBinary) => events.onMessage?.(isBinary ? '' : rawText(data)));
  socket.on('ping', () => events.onPing?.());
  socket.on('pong', (data) => events.onPong?.(data.toString()));
  socket.on('close', (code, reason) => events.onClose?.(code, reason.toString()));
  return new Promise((resolve) => {
    let head: Pick<Opening, 'status' | 'headers'> = { headers: {} };
    const stop = () => socket.terminate();
    const limit = startLimit?.(timeoutMs, stop);
    const end = (opening: Opening) => {
      limit?.clear();
      signal.removeEventListener('abort', stop);
      resolve(opening);
    };
    signal.addEventListener('abort', stop, { once: true });
    socket.on('upgrade', ({ statusCode, headers: fields }) => (head = { status: statusCode ?? 101, headers: fields }));
    socket.on('unexpected-response', (_, response) => void readRejection(response).then(end));
    socket.on('open', () => end({ ...head, socket }));
    socket.on('error', (error) => end({ ...head, problem: signal.aborted ? 'stopped' : showError(error) }));
    if (signal.aborted) stop();
  });
}

function rawText(data: Buffer | ArrayBuffer | Buffer[]): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString();
  return Buffer.isBuffer(data) ? data.toString() : Buffer.from(data).toString();
}

/** A response other than 101. */
function readRejection(response: IncomingMessage): Promise<Opening> {
  const { statusCode: status = 0, headers } = response;
  return new Promise((resolve) => {
    let body = '';
    const end = () => {
      resolve({ status, headers, body: body.slice(0, MAX_SHOWN_BYTES), problem: `HTTP status ${status}, not 101` });
      response.destroy();
    };
    response.on('data', (chunk) => {
      body += String(chunk);
      if (body.length > MAX_SHOWN_BYTES) end();
    });
    for (const event of ['end', 'error', 'close']) response.on(event, end);
  });
}

/** How long an end waits for the Close frame of the other one. */
export const CLOSE_MS = 2_000;

/** Closes in order (RFC 6455 section 7), and by force where the other end does not close. */
export function closeInOrder(socket: WebSocket, code = 1000): Promise<number> {
  if (socket.readyState === WebSocket.CLOSED) return Promise.resolve(1006);
  return new Promise((resolve) => {
    const timer = setTimeout(() => socket.terminate(), CLOSE_MS);
    socket.once('close', (got) => {
      clearTimeout(timer);
      resolve(got);
    });
    socket.close(code);
  });
}

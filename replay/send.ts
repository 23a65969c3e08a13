import * as http from 'node:http';
import * as https from 'node:https';
import type { AttemptEnd } from '../core/replay/attempts';
import type { OutgoingRequest } from '../core/replay/outgoing';
import { isSafeMethod } from '../core/traffic/safe-methods';
import type { TargetResponse } from '../core/replay/tuple';

export interface SenderOptions {
  readonly target: URL;
  readonly maxConnections: number;
  /** Of all of one attempt. */
  readonly timeoutMs: number;
  /** Of a longer response the rest is read, and not kept. */
  readonly maxResponseBytes: number;
  readonly insecure: boolean;
}

/** How an attempt ended, and what the target said. */
export interface Attempt {
  readonly end: AttemptEnd;
  readonly response?: TargetResponse;
}

/** Sends requests to the target, on connections that are kept. */
export class Sender {
  private readonly agent: http.Agent;
  private readonly module: typeof http | typeof https;

  constructor(private readonly options: SenderOptions) {
    const isTls = options.target.protocol === 'https:';
    this.module = isTls ? https : http;
    const pool = { keepAlive: true, maxSockets: options.maxConnections, scheduling: 'lifo' } as const;
    this.agent = isTls ? new https.Agent({ ...pool, rejectUnauthorized: !options.insecure }) : new http.Agent(pool);
  }

  /** Never fails: how it ended is its result. */
  send(request: OutgoingRequest, signal: AbortSignal): Promise<Attempt> {
    return new Promise((resolve) => {
      const startedMs = performance.now();
      let isReached = false;
      const call = this.call(request);
      const timer = setTimeout(
        () => call.destroy(new Error(`no response within ${this.options.timeoutMs} ms`)),
        this.options.timeoutMs,
      );
      const abort = () => call.destroy(new Error('stopped'));
      const settle = (attempt: Attempt) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        resolve(attempt);
      };
      const fail = ({ code, message }: NodeJS.ErrnoException) => {
        const problem = code === undefined || message.includes(code) ? message : `${message} (${code})`;
        settle({ end: { kind: isReached ? 'broken' : 'unreached', problem } });
      };
      signal.addEventListener('abort', abort, { once: true });
      call.on('socket', (socket) => {
        isReached = !socket.connecting;
        if (isReached) return;
        socket.once(this.module === https ? 'secureConnect' : 'connect', () => (isReached = true));
      });
      call.on('error', fail);
      call.on('response', (response) => {
        const received = isEndless(request, response) ? leave(response) : this.receive(response);
        received.then(({ body, isCut }) => {
          const { statusCode: status = 0, statusMessage: reason = '', rawHeaders } = response;
          const elapsedMs = performance.now() - startedMs;
          const said = { status, reason, headers: pairs(rawHeaders), body, isCut, elapsedMs };
          settle({ end: { kind: 'response', status }, response: said });
        }, fail);
      });
      call.end(request.body);
    });
  }

  private call({ method, path, headers }: OutgoingRequest): http.ClientRequest {
    const { protocol, hostname, port } = this.options.target;
    return this.module.request({
      ...{ protocol, hostname: hostname.replace(/^\[|\]$/g, ''), port, method, path, agent: this.agent },
      // Flat, so that repeated headers and their order stay.
      headers: headers.flat() as unknown as http.OutgoingHttpHeaders,
      setHost: false,
    });
  }

  private async receive(response: http.IncomingMessage): Promise<Received> {
    const pieces: Buffer[] = [];
    let size = 0;
    let isCut = false;
    for await (const piece of response as AsyncIterable<Buffer>) {
      const room = this.options.maxResponseBytes - size;
      if (piece.length > room) isCut = true;
      if (room > 0) pieces.push(piece.length > room ? piece.subarray(0, room) : piece);
      size += Math.min(piece.length, room);
    }
    if (!response.complete) throw new Error('the response broke off');
    return { body: Buffer.concat(pieces), isCut };
  }

  close(): void {
    this.agent.destroy();
  }
}

interface Received {
  readonly body: Buffer;
  readonly isCut: boolean;
}

/** An event stream that was asked for ends when its client leaves. One that is the response to a write ends with its work. */
function isEndless({ method }: OutgoingRequest, { headers }: http.IncomingMessage): boolean {
  return isSafeMethod(method) && /^text\/event-stream\b/i.test(headers['content-type'] ?? '');
}

function leave(response: http.IncomingMessage): Promise<Received> {
  response.on('error', () => undefined);
  response.destroy();
  return Promise.resolve({ body: Buffer.alloc(0), isCut: true });
}

function pairs(flat: readonly string[]): (readonly [string, string])[] {
  return Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at]!, flat[2 * at + 1]!] as const);
}

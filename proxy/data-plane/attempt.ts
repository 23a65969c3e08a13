import type { ClientRequest, IncomingMessage, InformationEvent } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { UpstreamFailure } from './data-plane';

/** What can come of one request to an upstream. One of `response`, `upgrade` and `failed` is called, once. */
export interface AttemptEvents {
  readonly information: (info: InformationEvent) => void;
  readonly response: (response: IncomingMessage) => void;
  readonly upgrade: (response: IncomingMessage, socket: Socket, head: Buffer) => void;
  /** `isStale`: a pooled connection that the upstream had given up, so that it is likely to have seen nothing. */
  readonly failed: (failure: UpstreamFailure, isStale: boolean) => void;
  /** The connection was silent for the idle time. Returns whether that is the upstream's fault. */
  readonly isStalled: () => boolean;
}

/** Watches a request until its answer begins, and for silence until it ends. */
export function watchAttempt(request: ClientRequest, connectMs: number, events: AttemptEvents): void {
  let phase: 'connecting' | 'waiting' | 'begun' = 'connecting';
  let timedOut: UpstreamFailure | undefined;
  let bytesBefore = 0;
  const connectTimer = setTimeout(() => giveUp('connectTimeout'), connectMs);
  const begin = (): boolean => {
    clearTimeout(connectTimer);
    if (phase === 'begun') return false;
    phase = 'begun';
    return true;
  };
  const giveUp = (failure: UpstreamFailure): void => {
    timedOut = failure;
    request.destroy(new Error(failure));
  };
  const connected = (): void => {
    clearTimeout(connectTimer);
    if (phase === 'connecting') phase = 'waiting';
  };

  request.on('socket', (socket) => {
    bytesBefore = socket.bytesRead;
    whenConnected(socket, request, connected);
  });
  request.on('information', (info) => events.information(info));
  request.on('response', (response) => (begin() ? events.response(response) : response.destroy()));
  request.on('upgrade', (response, socket: Socket, head) => {
    socket.on('error', () => undefined);
    if (begin()) events.upgrade(response, socket, head);
    else socket.destroy();
  });
  request.on('timeout', () => {
    if (phase !== 'connecting' && events.isStalled()) giveUp('idleTimeout');
  });
  request.on('error', (error: NodeJS.ErrnoException) => {
    const failure = timedOut ?? failureOf(error, phase === 'connecting');
    const isUntouched = request.reusedSocket && request.socket?.bytesRead === bytesBefore;
    if (begin()) events.failed(failure, isUntouched && timedOut === undefined);
  });
  request.on('close', () => {
    if (begin()) events.failed(timedOut ?? 'reset', false);
  });
}

function whenConnected(socket: Socket | TLSSocket, request: ClientRequest, connected: () => void): void {
  if (request.reusedSocket) connected();
  else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', connected);
}

function failureOf(error: NodeJS.ErrnoException, isConnecting: boolean): UpstreamFailure {
  if (error.code === 'ETIMEDOUT') return isConnecting ? 'connectTimeout' : 'idleTimeout';
  if (error.code?.startsWith('HPE_')) return 'malformed';
  return isConnecting ? 'connectRefused' : 'reset';
}

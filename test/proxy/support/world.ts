import http from 'node:http';
import net, { AddressInfo, Socket } from 'node:net';
import { generate } from 'selfsigned';
import type {
  DataPlane,
  DataPlaneOptions,
  Limits,
  Timeouts,
  Decision,
  Outcome,
  RequestHead,
} from '../../../proxy/data-plane/contract/data-plane';
import { completeTimeouts } from '../../../core/proxy/settings/setting-names';
import { trustingLimits } from '../../../proxy/data-plane/contract/limits';
import { createDataPlane } from '../../../proxy/data-plane/engine/engine';
import { total } from '../../../core/proxy/connections';
import { Ledger } from '../../../proxy/data-plane/contract/ledger';

export { until } from '../../support/until';

const open: (() => Promise<void> | void)[] = [];

/** Whatever a test starts is stopped after it, the last first. */
export function later(stop: () => Promise<void> | void): void {
  open.push(stop);
}

export async function stopAll(): Promise<void> {
  for (const stop of open.splice(0).reverse()) await stop();
}

export async function startBackend(
  handler: http.RequestListener,
  options: http.ServerOptions = {},
): Promise<{ port: number; server: http.Server; sockets: Set<Socket> }> {
  const server = http.createServer(options, handler);
  const sockets = await listen(server);
  return { port: findPort(server), server, sockets };
}

/** A server that speaks bytes, for responses that no HTTP library would send. */
export async function startRawBackend(onSocket: (socket: Socket) => void): Promise<number> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  await listen(server);
  return findPort(server);
}

async function listen(server: net.Server): Promise<Set<Socket>> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return sockets;
}

export function findPort(server: net.Server): number {
  return (server.address() as AddressInfo).port;
}

export interface Engine {
  readonly port: number;
  readonly plane: DataPlane;
  readonly ledger: Ledger;
  readonly outcomes: Outcome[];
  readonly heads: RequestHead[];
}

/** An engine in front of one upstream port, with what it told of each exchange. */
/** What a test says of an engine; the rest is as in the table of settings, with clients that are trusted. */
export type EngineOptions = Omit<Partial<DataPlaneOptions>, 'timeouts' | 'limits'> & {
  readonly timeouts?: Partial<Timeouts>;
  readonly limits?: Partial<Limits>;
};

export async function startEngine(
  upstreamPort: number,
  options: EngineOptions & { decide?: (head: RequestHead) => Decision | undefined } = {},
): Promise<Engine> {
  const ledger = new Ledger();
  const outcomes: Outcome[] = [];
  const heads: RequestHead[] = [];
  const plane = createDataPlane({
    ledger,
    route: (head) => {
      heads.push(head);
      const upstream = { protocol: 'http' as const, host: '127.0.0.1', port: upstreamPort };
      return options.decide?.(head) ?? { forward: { upstream, settled: (outcome) => outcomes.push(outcome) } };
    },
    failureResponse: (failure) => ({ status: failure.endsWith('Timeout') ? 504 : 502, body: failure }),
    ...options,
    timeouts: completeTimeouts(options.timeouts),
    limits: trustingLimits(options.limits),
  });
  const { port } = await plane.listen({ host: '127.0.0.1', port: 0 });
  later(() => plane.close());
  return { port, plane, ledger, outcomes, heads };
}

export function liveIn(ledger: Ledger): number {
  return total(ledger.active);
}

export async function selfSigned(): Promise<{ cert: string; key: string }> {
  const pair = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec', algorithm: 'sha256' });
  return { cert: pair.cert, key: pair.private };
}

export interface Got {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: NodeJS.Dict<string>;
}

/** One request on a connection of its own, or on the agent's. */
export function get(
  options: http.RequestOptions,
  body?: string | ((request: http.ClientRequest) => void),
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', agent: false, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
          trailers: response.trailers,
        }),
      );
    });
    request.on('error', reject);
    if (typeof body === 'function') body(request);
    else request.end(body);
  });
}

/** Sends bytes and reads until the other side ends. */
export function exchangeBytes(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
    let response = '';
    socket.on('data', (chunk) => (response += chunk.toString('latin1')));
    socket.on('end', () => resolve(response));
    socket.on('error', reject);
    socket.on('close', () => resolve(response));
    later(() => void socket.destroy());
  });
}

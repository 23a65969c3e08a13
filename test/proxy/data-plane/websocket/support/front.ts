import net, { Socket } from 'node:net';
import type { Ending } from '../../../../../core/proxy/connections';
import { Ticker } from '../../../../../proxy/data-plane/shared/ticker';
import { Tunnel, TunnelOptions } from '../../../../../proxy/data-plane/websocket/tunnel';
import { connectFirst } from '../../../../../proxy/data-plane/transport/connect';
import { HandleTransport } from '../../../../../proxy/data-plane/transport/handle-transport';
import { fastPath } from '../../../../../proxy/data-plane/transport/handle-transport-check';
import { StreamTransport } from '../../../../../proxy/data-plane/transport/stream-transport';
import { NO_USER, Transport } from '../../../../../proxy/data-plane/contract/transport';
import { later, findPort, until } from '../../../support/world';

/** Both wires that there are: on Node's streams, and on its handles. */
export const WIRES = ['stream', 'fast'] as const;

export interface Front {
  readonly port: number;
  /** In the order in which they began. */
  readonly tunnels: Tunnel[];
  readonly endings: Ending[];
  readonly faults: unknown[];
  /** Client and upstream of each tunnel. */
  readonly wires: { client: Transport; upstream: Transport }[];
}

export interface FrontOptions {
  readonly wires?: (typeof WIRES)[number];
  readonly idle?: Partial<TunnelOptions['idle']>;
  readonly isHolding?: boolean;
}

/** A machine that is too busy for the first attempt proves nothing: it is repeated. */
async function untilFast(): Promise<void> {
  await fastPath.start();
  await until(
    () => fastPath.verdict.result === 'right',
    () =>
      fastPath.verdict.result === 'wrong'
        ? `the fast wire does not work on this Node: ${fastPath.verdict.why}`
        : undefined,
  );
}

/** Joins each client to the upstream with a tunnel, once both have shaken hands; it lets any handshake through. */
export async function startFront(upstreamPort: number, options: FrontOptions = {}): Promise<Front> {
  const isFast = options.wires !== 'stream';
  if (isFast) await untilFast();
  const ticker = new Ticker(5);
  const front = { port: 0, tunnels: [], endings: [], faults: [], wires: [] } as Front & { port: number };
  const tunnelOptions: TunnelOptions = {
    idle: { openMs: 0, halfClosedMs: 0, ...options.idle },
    ticker,
    isHolding: options.isHolding ?? false,
    onClose: (how) => front.endings.push(how),
    faulted: (error) => front.faults.push(error),
  };
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (socket) => {
    const client = findWire(socket, isFast);
    later(() => client.destroy());
    join(client, { upstreamPort, isFast }, (client, upstream) => {
      front.wires.push({ client: client.transport, upstream: upstream.transport });
      front.tunnels.push(new Tunnel(client, upstream, tunnelOptions));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => {
    ticker.stop();
    server.close();
  });
  return Object.assign(front, { port: findPort(server) });
}

function findWire(socket: Socket, isFast: boolean): Transport {
  if (isFast) return new HandleTransport(socket);
  const transport = new StreamTransport(socket);
  transport.resume();
  return transport;
}

interface End {
  readonly transport: Transport;
  readonly head: Buffer;
}

function join(
  client: Transport,
  to: { upstreamPort: number; isFast: boolean },
  joined: (client: End, upstream: End) => void,
): void {
  const upstreamAt = { protocol: 'http', host: '127.0.0.1', port: to.upstreamPort } as const;
  const asked = collectHead(client, (prompt) => {
    connectFirst(upstreamAt, ['127.0.0.1'], 'http/1.1', {
      failed: () => client.destroy(),
      avoid: () => undefined,
      opened: (socket) => {
        const upstream = to.isFast ? new HandleTransport(socket) : new StreamTransport(socket);
        later(() => upstream.destroy());
        const responded = collectHead(upstream, (response) => {
          client.write(response);
          joined({ transport: client, head: asked() }, { transport: upstream, head: responded() });
        });
        upstream.write(prompt);
      },
    });
  });
}

/** Waits for a head. The returned function gives what came behind it. */
function collectHead(transport: Transport, whole: (head: string) => void): () => Buffer {
  let bytes = Buffer.alloc(0);
  let end = -1;
  transport.user = {
    ...NO_USER,
    onData: (more, length) => {
      bytes = Buffer.concat([bytes, more.subarray(0, length)]);
      if (end >= 0) return;
      end = bytes.indexOf('\r\n\r\n') + 4;
      if (end < 4) end = -1;
      else whole(bytes.toString('latin1', 0, end));
    },
  };
  return () => bytes.subarray(end);
}

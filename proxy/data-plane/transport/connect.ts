import { isIP, connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { ConnectFailure, classifyConnectFailure } from '../contract/connect-failure';
import type { Upstream } from '../contract/data-plane';

export interface Connecting {
  /** The receiver of the socket listens for its errors before the call returns. */
  opened(socket: Socket, address: string): void;
  /** Nothing was sent. The failure is that of the last address that was tried. */
  failed(failed: ConnectFailure): void;
  /** This address did not take a connection, or was so slow that another one was faster. */
  avoid(address: string): void;
}

/** Finds a peer that is gone without a word. */
const KEEP_ALIVE_MS = 30_000;
/** RFC 8305 section 5: how long an address has before the next one is tried beside it. */
const ATTEMPT_MS = 250;

const SOCKET_OPTIONS = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: KEEP_ALIVE_MS,
} as const;

/** `h2` over TLS by ALPN; without TLS the protocol is whatever is spoken. */
export type Protocol = 'http/1.1' | 'h2';

/**
 * Opens a connection to the first of these addresses of an upstream that takes one, each a little later than the one before
 * it, or when that has failed. One of the calls `opened` and `failed` follows, later.
 *
 * @returns gives it up, whatever has become of it
 */
export function connectFirst(
  upstream: Upstream,
  addresses: readonly string[],
  protocol: Protocol,
  connecting: Connecting,
): () => void {
  const race = new Race(upstream, addresses, protocol, connecting);
  race.start();
  return () => race.end(undefined);
}

class Race {
  private readonly running = new Map<string, Socket>();
  private started = 0;
  private isOver = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly upstream: Upstream,
    private readonly addresses: readonly string[],
    private readonly protocol: Protocol,
    private readonly connecting: Connecting,
  ) {}

  start(): void {
    clearTimeout(this.timer);
    const address = this.addresses[this.started];
    if (address === undefined) return;
    this.started += 1;
    const socket = open(this.upstream, address, this.protocol);
    this.running.set(address, socket);
    this.follow(socket, address);
    if (this.started < this.addresses.length) this.timer = setTimeout(() => this.start(), ATTEMPT_MS).unref();
  }

  /** Nothing of this stays with a connection that may live for days: neither the listeners nor the losers. */
  end(winner: Socket | undefined): void {
    this.isOver = true;
    clearTimeout(this.timer);
    for (const socket of this.running.values()) if (socket !== winner) socket.destroy();
    this.running.clear();
  }

  private follow(socket: Socket, address: string): void {
    const event = this.upstream.protocol === 'https' ? 'secureConnect' : 'connect';
    const fail = (error?: Error | boolean) => {
      const isLive = this.running.delete(address);
      if (!this.isOver && isLive) this.lost(address, typeof error === 'object' ? error : undefined);
    };
    const opened = () => {
      if (this.isOver) return;
      socket.off('close', fail);
      socket.off(event, opened);
      // Those that began before it are slower.
      for (const other of this.running.keys()) {
        if (other === address) break;
        this.connecting.avoid(other);
      }
      this.end(socket);
      this.connecting.opened(socket, address);
      // Its errors need a listener until here.
      socket.off('error', fail);
    };
    socket.on('error', fail);
    socket.on('close', fail);
    socket.on(event, opened);
  }

  private lost(address: string, error: Error | undefined): void {
    const { failure, cause } = classifyConnectFailure(error);
    // A want of this machine says nothing of the address, and the next one would find the same.
    if (failure !== 'full') {
      this.connecting.avoid(address);
      if (this.started < this.addresses.length) return this.start();
    }
    if (this.running.size > 0) return;
    this.end(undefined);
    this.connecting.failed({ failure, cause: { ...cause, address } });
  }
}

function open(upstream: Upstream, host: string, protocol: Protocol): Socket {
  const { port, localAddress } = upstream;
  // In HTTP/2 there is no half of a connection: the upstream's end is the end of all its streams.
  const options = {
    host,
    port,
    ...SOCKET_OPTIONS,
    allowHalfOpen: protocol === 'http/1.1',
    ...(localAddress !== undefined && isIP(localAddress) === isIP(host) && { localAddress }),
  };
  return upstream.protocol === 'https'
    ? connectTls({ ...tlsOptions(upstream, protocol), ...options })
    : connectTcp(options);
}

/** What a TLS connection to an upstream is opened with. Without a name of our own Node would take the client's Host for it. */
function tlsOptions(upstream: Upstream, protocol: Protocol) {
  return {
    // An address is no server name (RFC 6066 section 3).
    servername: upstream.serverName ?? (isIP(upstream.host) ? '' : upstream.host),
    rejectUnauthorized: upstream.verifyCertificate ?? true,
    ALPNProtocols: [protocol],
    minVersion: 'TLSv1.2',
    ...(upstream.authorities !== undefined && { ca: upstream.authorities }),
  } as const;
}

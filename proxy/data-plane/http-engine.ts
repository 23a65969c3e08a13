import http, { IncomingMessage, ServerResponse } from 'node:http';
import http2 from 'node:http2';
import net, { AddressInfo, Socket } from 'node:net';
import { ClientSockets } from './client-sockets';
import type { DataPlane, DataPlaneOptions, RequestHead, Timeouts } from './data-plane';
import { Exchange } from './exchange';
import type { ExchangeContext } from './exchange-context';
import { ClientRequest, ClientResponse, asksForWebSocket, isHttp2, readHead, refusal } from './head';
import { Http2Sessions } from './http2-sessions';
import { safely } from './safely';
import { Tunnel } from './tunnel';
import type { Accepted, UpgradeRequest, Upgraded } from './upgrade';
import { UpstreamPools } from './upstream-pool';
import { HANDSHAKE_FIELDS, acceptsHandshake, handshakeRefusal, switchingProtocols } from './websocket';

const DEFAULT_TIMEOUTS: Timeouts = {
  clientIdleMs: 75_000,
  headMs: 15_000,
  connectMs: 10_000,
  upstreamIdleMs: 60_000,
  bodyIdleMs: 60_000,
  streamIdleMs: 0,
  poolIdleMs: 4_000,
};

/** A request line of 16 KB and fields of 64 KB, as an ALB lets through. */
const MAX_HEAD_BYTES = 80 * 1024;
const MAX_STREAMS = 128;

/** A data plane on Node's own HTTP/1.1 and HTTP/2 servers. Upstreams are spoken to in HTTP/1.1. */
export function createDataPlane(options: DataPlaneOptions): DataPlane {
  return new HttpEngine(options);
}

type Server = http.Server | http2.Http2SecureServer;

class HttpEngine implements DataPlane {
  private readonly timeouts: Timeouts;
  private readonly server: Server;
  private readonly sockets = new ClientSockets();
  private readonly sessions: Http2Sessions;
  private readonly pools: UpstreamPools;
  private readonly context: ExchangeContext;
  private isDraining = false;

  constructor(options: DataPlaneOptions) {
    this.timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
    this.sessions = new Http2Sessions(this.timeouts.clientIdleMs);
    this.pools = new UpstreamPools(this.timeouts.poolIdleMs);
    this.server = createServer(options, this.timeouts);
    this.context = {
      options,
      timeouts: this.timeouts,
      pools: this.pools,
      isDraining: () => this.isDraining,
      faulted: options.faulted ?? warn,
    };
    this.listenToServer();
  }

  listen(at: { host: string; port: number }): Promise<{ host: string; port: number }> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(at.port, at.host, () => {
        this.server.off('error', reject);
        this.server.on('error', () => undefined);
        resolve({ host: at.host, port: (this.server.address() as AddressInfo).port });
      });
    });
  }

  setDraining(draining: boolean): void {
    this.isDraining = draining;
    if (draining) this.sessions.retireAll();
  }

  stopAccepting(): Promise<void> {
    // Node's HTTP servers close idle connections with their port, and with them the request that is just on its way.
    if (this.server.listening) net.Server.prototype.close.call(this.server);
    return Promise.resolve();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      if (this.server.listening) this.server.close(() => resolve());
      else resolve();
    });
    this.sessions.destroy();
    this.sockets.destroy();
    this.pools.destroy();
    await closed;
  }

  private listenToServer(): void {
    const server = this.server as http.Server;
    // Behind a request that still waits for its answer there is no other protocol: the upgrade is ignored, as RFC 9110
    // section 7.8 allows. Set here and not in the options: Node's HTTP/2 server puts its own over what those say.
    const shouldUpgradeCallback = (request: IncomingMessage) =>
      asksForWebSocket(request) && this.sockets.isAnswered(request.socket);
    Object.assign(server, { shouldUpgradeCallback });
    server.on('connection', (socket: Socket) => this.sockets.add(socket));
    server.on('secureConnection', (socket: Socket) => this.sockets.add(socket));
    server.on('session', (session: http2.ServerHttp2Session) => this.sessions.add(session));
    server.on('request', (request: ClientRequest, response: ClientResponse) => this.serve(request, response));
    // The upstream decides whether to ask for the body: its 100 is relayed, and none is made up here.
    server.on('checkContinue', (request: ClientRequest, response: ClientResponse) => this.serve(request, response));
    server.on('checkExpectation', (_: ClientRequest, response: ClientResponse) => {
      response.writeHead(417);
      response.end();
    });
    server.on('upgrade', (request, socket, head) => this.awaitUpgrade(request, socket as Socket, head));
    server.on('connect', (request, channel: Socket | http2.Http2ServerResponse) => {
      if (!(channel instanceof http2.Http2ServerResponse)) return this.sockets.refuse(request.socket, 405);
      channel.writeHead(405);
      channel.end();
    });
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      this.sockets.refuse(socket as Socket, CLIENT_ERROR_STATUS[error.code ?? ''] ?? 400);
    });
    server.on('tlsClientError', (_: Error, socket: Socket) => socket.destroy());
    server.on('sessionError', () => undefined);
  }

  private serve(request: ClientRequest, response: ClientResponse): void {
    this.guarded(request, () => {
      this.follow(request, response);
      this.exchange(request, response, readHead(request, false));
    });
  }

  private exchange(
    request: ClientRequest,
    response: ClientResponse,
    head: RequestHead,
    upgrade?: UpgradeRequest,
  ): void {
    const exchange = new Exchange(this.context, request, response, head, upgrade);
    const refused = refusal(request, head) ?? (isHttp2(request) || !upgrade ? undefined : handshakeRefusal(request));
    if (refused) exchange.answer(refused);
    else exchange.run();
  }

  /** What goes wrong before an exchange owns its errors ends the client, and nobody else. */
  private guarded(request: ClientRequest, begin: () => void): void {
    safely((error) => {
      this.context.faulted(error);
      if (isHttp2(request)) request.stream.destroy();
      else request.socket.destroy();
    })(begin)();
  }

  private follow(request: ClientRequest, response: ClientResponse): void {
    if (!isHttp2(request)) return this.sockets.follow(request.socket, response);
    // Asked for now: a stream that is over has no session any more.
    const session = request.stream.session as http2.ServerHttp2Session | undefined;
    response.once('close', () => {
      if (this.isDraining && session) this.sessions.retire(session);
    });
  }

  /** The answer before may be whole and not yet written: until then the connection is its. */
  private awaitUpgrade(request: IncomingMessage, client: Socket, head: Buffer): void {
    client.on('error', () => undefined);
    this.sockets.whenIdle(client, () => {
      if (!client.destroyed) this.guarded(request, () => this.upgrade(request, client, head));
    });
  }

  private upgrade(request: IncomingMessage, client: Socket, head: Buffer): void {
    client.setTimeout(0);
    // Until the upstream agrees this is a request like any other, and any other answer than a 101 goes out as one.
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(client);
    response.once('finish', () => {
      response.detachSocket(client);
      client.end(() => client.destroy());
    });
    this.exchange(request, response, readHead(request, true), {
      fields: HANDSHAKE_FIELDS,
      accept: (accepted) => this.tunnel(request, response, client, head, accepted),
    });
  }

  private tunnel(
    request: IncomingMessage,
    response: ServerResponse,
    client: Socket,
    head: Buffer,
    accepted: Accepted,
  ): Upgraded | undefined {
    if (!acceptsHandshake(request, accepted.answer)) return undefined;
    response.detachSocket(client);
    client.write(switchingProtocols(accepted.fields), 'latin1');
    const upstream = { socket: accepted.upstream, head: accepted.upstreamHead };
    const idle = { openMs: this.timeouts.streamIdleMs, halfClosedMs: this.timeouts.upstreamIdleMs };
    const tunnel = new Tunnel({ socket: client, head }, upstream, idle, accepted);
    accepted.guard.reclassify('websocket', tunnel);
    return tunnel;
  }
}

const CLIENT_ERROR_STATUS: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error));
}

function createServer(options: DataPlaneOptions, timeouts: Timeouts): Server {
  const common = {
    keepAliveTimeout: timeouts.clientIdleMs,
    headersTimeout: timeouts.headMs,
    // Uploads and streams may take as long as they like; the head may not.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.max(100, Math.min(1_000, timeouts.headMs / 2)),
    maxHeaderSize: MAX_HEAD_BYTES,
    insecureHTTPParser: false,
    noDelay: true,
  };
  if (!options.tls) return http.createServer(common);
  return http2.createSecureServer({
    ...common,
    ...options.tls,
    allowHTTP1: true,
    http1Options: common,
    minVersion: 'TLSv1.2',
    settings: { maxConcurrentStreams: MAX_STREAMS },
    maxSessionMemory: 32,
  } as http2.SecureServerOptions);
}

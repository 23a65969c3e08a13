import net, { AddressInfo, Server, Socket, SocketConstructorOpts } from 'node:net';
import tls, { TLSSocket } from 'node:tls';
import { FileQuotas, shareFiles } from '../../../core/proxy/file-budget';
import { AddressList } from '../shared/addresses';
import type { UpstreamRequest, Upstreams } from '../contract/upstreams';
import { TapFinder } from '../moves/find-tap';
import { MoveRules } from '../moves/move-rules';
import type { PlaneContext, TunnelEntry } from '../shared/context';
import type {
  DataPlane,
  DataPlaneOptions,
  FastPath,
  Limits,
  PlaneTls,
  RejectedRequest,
  SharedListener,
  Timeouts,
  Trial,
  Upstream,
} from '../contract/data-plane';
import type { Departure, Handing } from '../contract/handover';
import type { ClientEvents, DownstreamStream, EngineHead, UpstreamEvents, UpstreamStream } from '../contract/streams';
import { ClientHome, Http1Client } from '../http1/http1-client';
import { UpstreamPools } from '../http1/upstream-pools';
import { ClientSessions } from '../http2/client-sessions';
import { Http2Upstreams } from '../http2/upstream-session';
import { Exchange } from '../exchange/exchange';
import { Holder, MemoryBudget, NEW_CONNECTION_BYTES, TLS_BYTES } from '../shared/memory-budget';
import { Overflow } from './overflow';
import { ProxyHeaderReaders } from './proxy-header-reader';
import { PlaneHanding } from '../handover/handing';
import { ArrivedPumped } from '../pump/arrived-pumped';
import { Pumps } from '../pump/pumps';
import { useTicketKeys } from '../shared/ticket-keys';
import { Ticker } from '../shared/ticker';
import { ACCEPT_OPTIONS, Accepting, setOptions } from '../transport/accepting';
import { HandleTransport } from '../transport/handle-transport';
import { findDescriptor } from '../transport/native';
import { fastPath } from '../transport/handle-transport-check';
import type { Handle } from '../transport/native';
import { SelfCheck, worstVerdict } from '../shared/self-check';
import { StreamTransport } from '../transport/stream-transport';
import { TlsTransport } from '../transport/tls-transport';
import { Tls13Connections } from '../tls13/tls13-connections';
import { tlsFastPath } from '../transport/tls-transport-check';
import type { Peer, Transport } from '../contract/transport';

/** How late a deadline may be noticed: a quarter of the shortest, within these. */
const TICK_MS = { min: 5, max: 250 };
const BACKLOG = 4_096;
/** Of sessions that several processes may resume. */
const SESSION_CONTEXT = 'drainshift';
const NO_ROOM = 'Too many connections';
const NO_MEMORY = 'Too little memory';
const FAST_PATH_OFF =
  'The fast path is off: this Node.js does not handle sockets as is known, and its streams are used';
const TLS_STAYS = 'In a restart no connection of TLS goes over with its keys';
const FAST_PATH_UNTRIED = "The fast path could not be tried, and is tried again; Node.js' streams are used until then";

/** A data plane: HTTP/1.1 on sockets, HTTP/2 and gRPC on `node:http2`. */
export function createDataPlane(options: DataPlaneOptions): DataPlane {
  return new Engine(options);
}

class Engine implements DataPlane, PlaneContext, ClientHome {
  readonly timeouts: Timeouts;
  readonly limits: Limits;
  readonly moves: MoveRules | undefined;
  private readonly files: FileQuotas;
  readonly ticker: Ticker;
  readonly addresses: AddressList;
  readonly upstreams: Upstreams;
  readonly tunnels = new Set<TunnelEntry>();
  readonly tunnelIdle: PlaneContext['tunnelIdle'];
  isDraining = false;
  isHolding = false;
  readonly handing: Handing;
  isHandingOver = false;
  private readonly server: Server;
  private secureServer: tls.Server | undefined;
  private readonly http1 = new Set<Http1Client>();
  private readonly http2: ClientSessions;
  private readonly pools: UpstreamPools;
  private readonly http2Upstreams: Http2Upstreams;
  private readonly overflow: Overflow;
  /** Absent where no connection of TLS goes to another process, or comes from one. */
  private readonly tls13: Tls13Connections | undefined;
  /** Absent where a connection whose TLS cannot go to another process ends here. */
  private readonly pumps: Pumps | undefined;
  /** Of these no socket is in `secured`. */
  private readonly arrived = new ArrivedPumped();
  readonly memory: MemoryBudget;
  /** The TCP connections under TLS, from before their handshake on. */
  private readonly secured = new Set<Socket>();
  private readonly headers: ProxyHeaderReaders | undefined;
  /** Whom PROXY headers named, by the TCP connection: a TLS socket does not say which one it is on. */
  private readonly named = new Map<string, Peer>();
  /** Once it listens. */
  private accepting: Accepting | undefined;
  /** What must be right for the fast path to be on. */
  private readonly checks: readonly SelfCheck[];
  private unwatch: () => void = () => undefined;
  private isClosed = false;

  constructor(readonly options: DataPlaneOptions) {
    this.timeouts = options.timeouts;
    const { limits, moves } = options;
    const isMoving = moves !== undefined && moves.mode !== 'none';
    this.moves = isMoving ? new MoveRules(moves, new TapFinder(moves, (error) => this.faulted(error))) : undefined;
    this.files = shareFiles(limits.openFiles, limits);
    const { clientConnections, upstreamConnections } = this.files;
    this.limits = { ...limits, clientConnections, upstreamConnections };
    this.tunnelIdle = { openMs: this.timeouts.streamIdleMs, halfClosedMs: this.timeouts.upstreamIdleMs };
    this.ticker = new Ticker(tickMs(this.timeouts), (error) => this.faulted(error));
    const { lookup, noticed } = options;
    this.addresses = new AddressList({ lookup, noticed, ticker: this.ticker, ageMs: this.timeouts.upstreamAgeMs });
    this.checks = options.tls ? [fastPath, tlsFastPath(options.tls)] : [fastPath];
    this.pools = new UpstreamPools(this, () => fastPath.verdict.result === 'right');
    this.http2Upstreams = new Http2Upstreams(this);
    this.upstreams = {
      open: (upstream, request, events) => this.openUpstream(upstream, request, events),
    };
    this.http2 = new ClientSessions(this);
    this.memory = new MemoryBudget(
      limits.memoryBytes,
      () => this.holders(),
      () => Math.max(0, this.securedClients - this.served) * (TLS_BYTES + NEW_CONNECTION_BYTES),
      noticed,
    );
    if (limits.memoryBytes !== Infinity) this.ticker.add(this.memory);
    this.overflow = new Overflow((rejection) => this.refused(rejection));
    if (options.expectsProxyHeader) {
      const { headMs } = this.timeouts;
      const refused = (rejection: RejectedRequest) => this.refused(rejection);
      this.headers = new ProxyHeaderReaders({ ticker: this.ticker, headMs, refused });
    }
    this.server = options.tls ? this.createTlsServer(options.tls) : this.createPlainServer();
    this.server.on('error', () => undefined);
    this.tls13 = options.tls?.isHandedOver === true ? this.createTls13(options.tls) : undefined;
    this.pumps = options.isPumping && new Pumps(options.isPumping, noticed);
    this.handing = new PlaneHanding({
      context: this,
      home: this,
      http1: this.http1,
      tunnels: this.tunnels,
      http2: this.http2,
      pools: this.pools,
      hasRoom: () => !this.isClosed && this.hasRoom && this.hasFileForClient,
      tls: this.tls13,
      pumps: this.pumps,
      arrived: this.arrived,
      takeAccepted: (handle) => this.takeAccepted(handle),
    });
  }

  async listen(
    at: { host: string; port: number } | { shared: SharedListener },
  ): Promise<{ host: string; port: number }> {
    await this.tryFastPath();
    const changed = () => {
      this.tellFastPath();
      this.acceptHandles();
    };
    const unwatch = this.checks.map((check) => check.watch(changed));
    this.unwatch = () => unwatch.forEach((end) => end());
    const { server } = this;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      const listening = () => {
        server.off('error', reject);
        resolve();
      };
      // The backlog of a shared listener is an argument only.
      if ('shared' in at) server.listen(at.shared, BACKLOG, listening);
      else server.listen({ port: at.port, host: at.host, backlog: BACKLOG }, listening);
    });
    this.accepting = new Accepting(server);
    this.accepting.setOptionsOnce();
    this.acceptHandles();
    void this.tls13?.check.start();
    const { address, port } = server.address() as AddressInfo;
    return { host: 'shared' in at ? address : at.host, port };
  }

  async openUnlistened(): Promise<void> {
    await this.tryFastPath();
  }

  private async tryFastPath(): Promise<void> {
    await Promise.all(this.checks.map((check) => check.start()));
    if (this.fastPath !== 'on') this.tellFastPath();
  }

  share(give: ((departure: Departure) => boolean) | undefined): boolean {
    const offer = give && ((handle: Handle) => give(this.offerAccepted(handle)));
    return this.accepting?.share(offer) === true;
  }

  private offerAccepted(handle: Handle): Departure {
    return {
      ...{ data: { type: 'accepted', ends: [] }, bytes: [], handles: [handle] },
      keep: () => this.takeAccepted(handle),
      release: () => handle.close(() => undefined),
    };
  }

  /** As a server takes what it accepts. */
  private takeAccepted(handle: Handle): void {
    setOptions(handle);
    if (!this.options.tls && this.fastPath === 'on' && this.takeHandle(handle)) return;
    const { isTlsFirst } = this;
    const how = { handle, allowHalfOpen: !isTlsFirst, pauseOnCreate: !isTlsFirst, readable: true, writable: true };
    this.server.emit('connection', new Socket(how as unknown as SocketConstructorOpts));
  }

  private acceptHandles(): void {
    if (!this.options.tls && this.fastPath === 'on') this.accepting?.takeHandles((handle) => this.takeHandle(handle));
  }

  get fastPath(): FastPath {
    const { result } = worstVerdict(this.checks);
    return result === 'right' ? 'on' : result === 'wrong' ? 'off' : 'untried';
  }

  private tellFastPath(): void {
    const { result, why } = worstVerdict(this.checks);
    const tell = this.options.noticed;
    if (result === 'right') tell?.({ level: 'info', message: 'The fast path is on', figures: {} });
    else if (result === 'wrong') tell?.({ level: 'warn', message: FAST_PATH_OFF, figures: { why } });
    else tell?.({ level: 'warn', message: FAST_PATH_UNTRIED, figures: { why } });
  }

  setDraining(draining: boolean): void {
    this.isDraining = draining;
    if (draining) this.http2.retireAll();
  }

  setHandingOver(isHandingOver: boolean): void {
    this.isHandingOver = isHandingOver;
    if (!isHandingOver) void this.pumps?.closePairs();
  }

  get pumped(): number {
    return this.pumps?.size ?? 0;
  }

  askPumpedToLeave(count: number): number {
    return this.pumps?.askToLeave(count) ?? 0;
  }

  setHolding(holding: boolean): void {
    this.isHolding = holding;
    for (const tunnel of [...this.tunnels]) tunnel.setHolding(holding);
  }

  async openTrial(): Promise<Trial> {
    // It is known when connections come.
    void this.tls13?.check.start();
    await fastPath.start();
    const server = net.createServer({ pauseOnConnect: !this.isTlsFirst, allowHalfOpen: !this.isTlsFirst });
    server.on('connection', (socket) => this.server.emit('connection', socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return { port: (server.address() as AddressInfo).port, close: () => void server.close() };
  }

  get descriptor(): number | undefined {
    return findDescriptor(this.server);
  }

  get clients(): number {
    return this.clientConnections + this.overflow.size - (this.pumps?.clients ?? 0);
  }

  /** A connection begins with its handshake: no PROXY header stands before it. */
  private get isTlsFirst(): boolean {
    return this.options.tls !== undefined && !this.headers;
  }

  stopAccepting(): Promise<void> {
    if (this.server.listening) this.server.close();
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.isClosed = true;
    this.unwatch();
    void this.stopAccepting();
    for (const tunnel of [...this.tunnels]) tunnel.destroy();
    for (const client of [...this.http1]) client.destroy();
    for (const socket of [...this.secured]) socket.destroy();
    this.headers?.destroy();
    this.overflow.destroy();
    this.http2.destroy();
    this.pools.destroy();
    this.http2Upstreams.destroy();
    this.ticker.stop();
    return this.pumps?.close() ?? Promise.resolve();
  }

  createExchange(client: DownstreamStream, head: EngineHead): Exchange {
    return new Exchange(this, client, head);
  }

  begin(client: DownstreamStream, head: EngineHead): ClientEvents {
    const exchange = this.createExchange(client, head);
    exchange.run();
    exchange.uploadFlushed();
    exchange.tickByItself();
    return exchange;
  }

  left(client: Http1Client): void {
    this.http1.delete(client);
    this.pools.ownerLeft(client);
  }

  isHttp2(transport: Transport, bytes: Buffer): void {
    const { peer } = transport;
    this.http2.accept(transport.giveUp(bytes), peer);
  }

  faulted(error: unknown): void {
    try {
      if (this.options.faulted) this.options.faulted(error);
      else process.emitWarning(error instanceof Error ? error : String(error));
    } catch {
      // It has said all that it can.
    }
  }

  private refused(rejection: RejectedRequest): void {
    try {
      this.options.refused?.(rejection);
    } catch (error) {
      this.faulted(error);
    }
  }

  get hasFileForUpstream(): boolean {
    const { connections, turnedAway } = this.files;
    if (connections === Infinity) return true;
    const leaving = Math.max(this.overflow.size, turnedAway);
    return this.clientConnections + this.upstreamConnections + leaving < connections;
  }

  /** A tunnel has the connection that its pool has given away. */
  private get upstreamConnections(): number {
    return this.pools.size + this.http2Upstreams.size + this.tunnels.size;
  }

  /** A client that is turned away needs a file, too, until it has read why. */
  private get hasFileForClient(): boolean {
    return this.clientConnections + this.upstreamConnections + this.overflow.size < this.files.connections;
  }

  private openUpstream(upstream: Upstream, request: UpstreamRequest, events: UpstreamEvents): UpstreamStream {
    const way = request.head.isGrpc || upstream.isHttp2 === true ? this.http2Upstreams : this.pools;
    return way.open(upstream, request, events);
  }

  private createPlainServer(): Server {
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true, ...ACCEPT_OPTIONS });
    server.on('connection', (socket: Socket) => {
      if (this.isClosed) return void socket.destroy();
      if (!this.hasRoom || this.isMemoryTight) return this.turnAway(socket);
      const transport = new StreamTransport(socket);
      this.accept(transport);
      transport.resume();
    });
    return server;
  }

  /** @returns false where it is for the server's listener */
  private takeHandle(handle: Handle): boolean {
    if (this.isClosed || !this.hasRoom || this.isMemoryTight) return false;
    this.accept(new HandleTransport(handle));
    return true;
  }

  private accept(transport: Transport): void {
    this.memory.admit(NEW_CONNECTION_BYTES);
    if (this.headers) this.headers.read(transport, (rest) => this.serve(transport, rest));
    else this.serve(transport);
  }

  private createTlsServer({ cert, key, ticketKeys }: PlaneTls): Server {
    const server = tls.createServer({
      cert,
      key,
      // Node.js would make it of the command line, which another process has another one of.
      ...(ticketKeys && { sessionIdContext: SESSION_CONTEXT }),
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['h2', 'http/1.1'],
      // Half of a connection is of no use before its handshake; `StreamTransport` allows it later.
      handshakeTimeout: this.timeouts.headMs,
      ...ACCEPT_OPTIONS,
    });
    if (ticketKeys !== undefined) useTicketKeys(server, ticketKeys);
    server.on('connection', (socket: Socket) => {
      if (this.isClosed) return void socket.destroy();
      if (!this.hasRoom || this.isMemoryTight) return this.turnAway(socket);
      this.memory.admit(TLS_BYTES + NEW_CONNECTION_BYTES);
      this.secured.add(socket);
      socket.once('close', () => this.secured.delete(socket));
    });
    server.on('secureConnection', (socket: TLSSocket) => {
      socket.on('error', () => undefined);
      if (this.overflow.has(socket)) this.overflow.tell(socket);
      else if (socket.alpnProtocol === 'h2') this.http2.accept(socket, this.named.get(formatName(socket)));
      else this.serveSecured(socket);
    });
    server.on('tlsClientError', (_: Error, socket: TLSSocket) => socket.destroy());
    this.secureServer = server;
    return this.headers ? this.createServerBefore(server, this.headers) : server;
  }

  private createTls13(tls: PlaneTls): Tls13Connections {
    // Behind a PROXY header the server of TLS is another one than that which listens.
    const connections = new Tls13Connections(this.secureServer!, tls);
    connections.check.watch(({ result, why }) => {
      if (result === 'wrong') this.options.noticed?.({ level: 'warn', message: TLS_STAYS, figures: { why } });
    });
    return connections;
  }

  private serveSecured(socket: TLSSocket): void {
    const transport = this.fastPath === 'on' ? new TlsTransport(socket) : new StreamTransport(socket);
    const named = this.named.get(formatName(socket));
    if (named) transport.peer = named;
    this.serve(transport);
  }

  /** The PROXY header comes before the handshake. */
  private createServerBefore(secured: Server, headers: ProxyHeaderReaders): Server {
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true, ...ACCEPT_OPTIONS });
    server.on('connection', (socket: Socket) => {
      // No client can be told before the handshake; the server behind does.
      if (this.isClosed || !this.hasFileForClient) return void socket.destroy();
      const transport = new StreamTransport(socket);
      headers.read(transport, (rest) => {
        const name = formatName(socket);
        this.named.set(name, transport.peer);
        socket.once('close', () => this.named.delete(name));
        transport.giveUp(rest).allowHalfOpen = false;
        secured.emit('connection', socket);
      });
      transport.resume();
    });
    return server;
  }

  private turnAway(socket: Socket): void {
    if (!this.hasFileForClient && !this.overflow.makeRoom()) return void socket.destroy();
    this.overflow.turnAway(socket, this.hasRoom ? NO_MEMORY : NO_ROOM, this.options.tls !== undefined);
  }

  private get hasRoom(): boolean {
    return this.clientConnections < this.limits.clientConnections;
  }

  private get clientConnections(): number {
    return (this.headers?.size ?? 0) + (this.options.tls ? this.securedClients : this.served);
  }

  private get securedClients(): number {
    return this.secured.size + (this.tls13?.size ?? 0) + this.arrived.size;
  }

  /** Those whose protocol is known. */
  private get served(): number {
    return this.http1.size + this.http2.size + this.tunnels.size;
  }

  get isMemoryTight(): boolean {
    return this.memory.state !== 'free';
  }

  private *holders(): Generator<Holder> {
    if (this.headers) yield* this.headers.all;
    yield* this.http1;
    yield* this.http2.all;
    yield* this.tunnels;
  }

  /** `first`: what was read of it already. */
  private serve(transport: Transport, first?: Buffer): void {
    const client = new Http1Client(this, this, transport);
    this.http1.add(client);
    if (first !== undefined && first.length > 0) client.onData(first, first.length);
  }
}

/** Of its TCP connection, by the other end. */
function formatName({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}:${remotePort}`;
}

function tickMs(timeouts: Timeouts): number {
  const min = Math.min(...Object.values(timeouts).filter((ms) => ms > 0));
  return Math.min(TICK_MS.max, Math.max(TICK_MS.min, min / 4));
}

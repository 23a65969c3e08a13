import type { MoveRejection } from '../../../core/moves/moves';
import type {
  Arrival,
  ConnectionHandle,
  Departure,
  Handing,
  Packed,
  PackedEnd,
  PackedEntry,
  PackedResume,
  StayReason,
} from '../contract/handover';
import type { Forward } from '../contract/data-plane';
import type { LedgerEntry } from '../contract/ledger';
import type { Transport } from '../contract/transport';
import { UpgradedConnection } from '../exchange/upgraded-connection';
import type { ClientHome } from '../http1/http1-client';
import { Http1Client } from '../http1/http1-client';
import type { PlaneContext, TunnelEntry } from '../shared/context';
import { HandleTransport, PackedTransport } from '../transport/handle-transport';
import type { Handle } from '../transport/native';
import { Resume } from '../moves/resume';
import { InTransit } from './in-transit';

/** What the engine has of its connections. */
export interface HandingPlane {
  readonly context: PlaneContext;
  readonly home: ClientHome;
  readonly http1: Set<Http1Client>;
  readonly tunnels: ReadonlySet<TunnelEntry>;
  readonly http2: { readonly size: number };
  /** An upstream connection is logged in for this client. */
  hasLogin(client: Http1Client): boolean;
  hasRoom(): boolean;
}

type Stays = Record<StayReason, number>;

/** Takes connections out of a data plane, and puts them in. */
export class PlaneHanding implements Handing {
  constructor(private readonly plane: HandingPlane) {}

  /** The long-lived ones first: who is idle comes again, or not, and a request that it sends waits in the kernel. */
  *departures(stays: Stays): Generator<Departure> {
    stays.http2 += this.plane.http2.size;
    for (const tunnel of [...this.plane.tunnels]) {
      const taken = tunnel instanceof UpgradedConnection ? this.takeUpgraded(tunnel) : 'unknown';
      if (typeof taken === 'string') stays[taken] += 1;
      else yield taken;
    }
    for (const client of [...this.plane.http1]) {
      const taken = this.takeHttp1(client);
      if (typeof taken === 'string') stays[taken] += 1;
      else yield taken;
    }
  }

  arrive(packed: Packed): Arrival {
    if (!this.plane.hasRoom()) throw new Error('There must be room for one more connection, got none');
    switch (packed.data.type) {
      case 'http1':
        return this.arriveHttp1(packed);
      case 'upgrade':
        return this.arriveUpgraded(packed);
    }
  }

  private takeHttp1(client: Http1Client): Departure | StayReason {
    const { transport, obstacle } = client;
    if (obstacle !== undefined) return obstacle;
    if (transport.isTls) return 'tls';
    if (this.plane.hasLogin(client)) return 'login';
    if (!(transport instanceof HandleTransport)) return 'unknown';
    if (!transport.isQuiet) return 'pending';
    const { head, waitedMs } = client.pack();
    const { handle, end } = packEnd(transport);
    const packed: Packed = { data: { type: 'http1', ends: [end], waitedMs }, bytes: [head], handles: [handle] };
    return {
      ...packed,
      keep: () => this.arriveHttp1(packed).begin(),
      release: () => closeAll(packed.handles),
    };
  }

  private arriveHttp1({ data, bytes, handles }: Packed): Arrival {
    if (data.type !== 'http1') throw new Error(`A connection must be of HTTP/1.1, got ${data.type}`);
    const { context, home, http1 } = this.plane;
    const [transport] = unpackEnds(data.ends, handles);
    return {
      begin: () => {
        const client = new Http1Client(context, home, transport!);
        http1.add(client);
        client.unpack(bytes[0]!, data.waitedMs);
      },
      drop: () => closeAll(handles),
    };
  }

  private takeUpgraded(connection: UpgradedConnection): Departure | StayReason {
    const { ends, obstacle, forwardRecord } = connection;
    if (obstacle !== undefined || ends === undefined) return obstacle ?? 'closing';
    const [client, upstream] = ends;
    if (client.isTls) return 'tls';
    if (upstream.isTls) return 'upstreamTls';
    if (forwardRecord === undefined) return 'unknown';
    if (!(client instanceof HandleTransport) || !(upstream instanceof HandleTransport)) return 'unknown';
    if (!client.isQuiet || !upstream.isQuiet) return 'pending';
    const { ledger } = this.plane.context.options;
    const { tunnel, forward, resume, isOpaque } = connection.pack();
    const entry = this.packEntry(connection);
    const [one, other] = [packEnd(client), packEnd(upstream)];
    const packed: Packed = {
      data: {
        ...{ type: 'upgrade', ends: [one.end, other.end], entry, isOpaque, forward: forwardRecord },
        resume: typeof resume === 'string' ? resume : (resume.pack() ?? 'cannotResume'),
        relays: [tunnel.client.past!, tunnel.upstream.past!],
        idleMs: tunnel.idleMs,
      },
      bytes: [tunnel.client.head, tunnel.upstream.head],
      handles: [one.handle, other.handle],
    };
    const place = new InTransit(entry);
    ledger.replace(connection, place, connection.kind);
    return {
      ...packed,
      keep: () => this.resumeUpgraded(packed, place, forward, resume),
      release: () => {
        closeAll(packed.handles);
        ledger.handOver(place);
        place.arrived(undefined);
      },
    };
  }

  private arriveUpgraded(packed: Packed): Arrival {
    const { data, handles } = packed;
    if (data.type !== 'upgrade') throw new Error(`A connection must be an upgraded one, got ${data.type}`);
    const { ledger, resumeForward } = this.plane.context.options;
    if (resumeForward === undefined) throw new Error('It is not known here where an upgraded connection goes');
    const forward = resumeForward(data.forward);
    const { entry } = data;
    const place = new InTransit(entry);
    ledger.takeOver(place, entry.kind, performance.now() - entry.ageMs, entry.isCarried);
    return {
      begin: () => this.resumeUpgraded(packed, place, forward, unpackResume(data.resume)),
      drop: () => {
        closeAll(handles);
        ledger.handOver(place);
        place.arrived(undefined);
      },
    };
  }

  private resumeUpgraded(
    { data, bytes, handles }: Packed,
    place: InTransit,
    forward: Forward,
    resume: Resume | MoveRejection,
  ): void {
    if (data.type !== 'upgrade') return;
    const { context } = this.plane;
    const transports = unpackEnds(data.ends, handles);
    const ends = transports.map((transport, index) => ({
      transport,
      head: bytes[index]!,
      past: data.relays[index]!,
    }));
    const connection = new UpgradedConnection(context, forward, data.entry, resume);
    context.options.ledger.replace(place, connection, place.kind);
    connection.continue({ client: ends[0]!, upstream: ends[1]!, idleMs: data.idleMs }, data.isOpaque);
    place.arrived(connection);
  }

  private packEntry(entry: LedgerEntry): PackedEntry {
    const { kind, path, clientAddress, enteredMs, bytesReceived, bytesSent } = entry;
    const isCarried = this.plane.context.options.ledger.isCarried(entry);
    return { kind, path, clientAddress, ageMs: performance.now() - enteredMs, bytesReceived, bytesSent, isCarried };
  }
}

function unpackResume(packed: PackedResume | MoveRejection): Resume | MoveRejection {
  return typeof packed === 'string' ? packed : Resume.unpack(packed);
}

function packEnd(transport: HandleTransport): { readonly handle: Handle; readonly end: PackedEnd } {
  const { handle, ...end } = transport.pack();
  return { handle, end };
}

function unpackEnds(ends: readonly PackedEnd[], handles: readonly ConnectionHandle[]): Transport[] {
  return ends.map(({ hasReadEnd, isShutDown, peer }, index) => {
    const packed: PackedTransport = { handle: handles[index] as Handle, hasReadEnd, isShutDown, peer };
    return HandleTransport.unpack(packed);
  });
}

/** Without a word to their peers: another process has them, too. */
function closeAll(handles: readonly ConnectionHandle[]): void {
  for (const handle of handles) handle.close(() => undefined);
}

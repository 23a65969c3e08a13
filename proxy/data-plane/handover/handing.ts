import type { MoveRejection } from '../../../core/moves/moves';
import type {
  Arrival,
  Departure,
  Handing,
  Packed,
  PackedEnd,
  PackedEntry,
  PackedHttp1,
  PackedResume,
  PackedStream,
  PackedUpgrade,
  PackedUpstream,
  StayReason,
} from '../contract/handover';
import type { Forward, MessageRecording, Upstream } from '../contract/data-plane';
import type { LedgerEntry } from '../contract/ledger';
import type { Transport } from '../contract/transport';
import { Exchange } from '../exchange/exchange';
import { UpgradedConnection } from '../exchange/upgraded-connection';
import type { ClientHome } from '../http1/http1-client';
import { Http1Client } from '../http1/http1-client';
import { Http1Upstream } from '../http1/http1-upstream';
import { Http1Head } from '../http1/message/request-head';
import type { UpstreamPools } from '../http1/upstream-pools';
import type { PlaneContext, TunnelEntry } from '../shared/context';
import { Resume } from '../moves/resume';
import type { Handle } from '../transport/native';
import { WaysOut, canGoPending, followPumps, openEnds, takeEnds, wipeStates } from './ends';
import { InTransit } from './in-transit';

/** What the engine has of its connections. */
export interface HandingPlane extends WaysOut {
  readonly context: PlaneContext;
  readonly home: ClientHome;
  readonly http1: Set<Http1Client>;
  readonly tunnels: ReadonlySet<TunnelEntry>;
  readonly http2: { readonly size: number };
  readonly pools: Pick<UpstreamPools, 'hasLogin' | 'adopt'>;
  hasRoom(): boolean;
  /** What nothing was read of. */
  takeAccepted(handle: Handle): void;
}

/** Where a connection goes on, beside its ends. */
interface Place {
  /** What stands for it in the ledger. */
  readonly place: InTransit;
  readonly forward: Forward;
  /** Where it is connected to: of one that has moved here, another upstream than that of `forward`. */
  readonly upstream: Upstream;
}

interface Resuming extends Place {
  readonly resume: Resume | MoveRejection;
  readonly messages: MessageRecording | undefined;
}

type Stays = Record<StayReason, number>;

/** Takes connections out of a data plane, and puts them in. */
export class PlaneHanding implements Handing {
  constructor(private readonly plane: HandingPlane) {}

  async ready(): Promise<void> {
    await this.plane.tls?.check.settled();
  }

  /** The long-lived ones first: who is idle comes again, or not, and a request that it sends waits in the kernel. */
  *departures(stays: Stays): Generator<Departure> {
    this.plane.pumps?.beginLook();
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

  get isPreparing(): boolean {
    return this.plane.pumps?.isMaking === true;
  }

  arrive(packed: Packed): Arrival {
    try {
      return this.arriveUnwiped(packed);
    } catch (error) {
      wipeStates(packed.data.ends, packed.bytes);
      throw error;
    }
  }

  private arriveUnwiped(packed: Packed): Arrival {
    if (!this.plane.hasRoom()) throw new Error('There must be room for one more connection, got none');
    switch (packed.data.type) {
      case 'http1':
        return this.arriveHttp1(packed);
      case 'upgrade':
        return this.arriveUpgraded(packed);
      case 'stream':
        return this.arriveStream(packed, packed.data);
      case 'accepted':
        return this.arriveAccepted(packed);
    }
  }

  private arriveAccepted({ handles }: Packed): Arrival {
    const [handle] = handles;
    if (handle === undefined) throw new Error('A connection must come with its handle, got none');
    return { begin: () => this.plane.takeAccepted(handle as Handle), drop: () => handle.close(() => undefined) };
  }

  private takeHttp1(client: Http1Client): Departure | StayReason {
    const { transport, obstacle, responding } = client;
    if (responding instanceof Exchange) return this.takeStream(client, responding);
    if (obstacle !== undefined) return obstacle;
    if (this.plane.pools.hasLogin(client)) return 'login';
    const { tls, arrived } = this.plane;
    const taken = takeEnds([transport], { tls, arrived }, 1);
    if (typeof taken === 'string') return taken;
    const { head, waitedMs, isFirst } = client.pack();
    const { ends, states, handles } = taken;
    const data: PackedHttp1 = { type: 'http1', ends: [ends[0]!], waitedMs, isFirst };
    return {
      ...{ data, bytes: [head, ...states], handles },
      keep: () => this.resumeHttp1(taken.keep()[0]!, head, data),
      release: () => taken.release(),
    };
  }

  private arriveHttp1({ data, bytes, handles }: Packed): Arrival {
    if (data.type !== 'http1') throw new Error(`A connection must be of HTTP/1.1, got ${data.type}`);
    const ends = openEnds(data.ends, handles, bytes, this.plane);
    return {
      begin: () => this.resumeHttp1(ends.begin()[0]!, bytes[0]!, data),
      drop: () => ends.drop(),
    };
  }

  private resumeHttp1(transport: Transport, head: Buffer, data: PackedHttp1): void {
    const { context, home, http1 } = this.plane;
    const client = new Http1Client(context, home, transport);
    http1.add(client);
    followPumps([transport], () => client.endInOrder());
    client.unpack(head, data);
  }

  private takeStream(client: Http1Client, exchange: Exchange): Departure | StayReason {
    const { obstacle, source, forwardRecord, destination } = exchange;
    if (obstacle !== undefined) return obstacle;
    if (this.isAwaited(exchange)) return 'moving';
    if (!(source instanceof Http1Upstream)) return 'stream';
    const { responding } = source;
    if (responding === undefined) return 'request';
    if (this.plane.pools.hasLogin(client)) return 'login';
    if (forwardRecord === undefined) return 'unknown';
    const taken = takeEnds([client.transport, responding], this.plane, 2);
    if (typeof taken === 'string') return taken;
    const { ledger } = this.plane.context.options;
    const entry = this.packEntry(exchange);
    const { packed, forward, held } = exchange.pack();
    const { head, writer, ahead } = client.packResponding();
    const [ofClient, ofUpstream] = [taken.ends[0]!, taken.ends[1]!];
    const data: PackedStream = {
      ...{ type: 'stream', ends: [ofClient, ofUpstream], entry, forward: forwardRecord },
      ...{ head, writer, exchange: packed, upstream: packUpstream(source, ofUpstream) },
    };
    const place = new InTransit(entry);
    const upstream = destination ?? forward.upstream;
    ledger.replace(exchange, place, exchange.kind);
    return {
      ...{ data, bytes: [ahead, held, ...taken.states], handles: taken.handles },
      keep: () => this.resumeStream(data, [ahead, held], taken.keep(), { place, forward, upstream }),
      release: () => {
        taken.release();
        this.leave(place);
      },
    };
  }

  private arriveStream({ bytes, handles }: Packed, data: PackedStream): Arrival {
    Http1Head.unpack(data.head, this.plane.context.limits);
    const forward = this.findForward(data.forward);
    const ends = openEnds(data.ends, handles, bytes, this.plane);
    const place = this.enter(data.entry);
    return {
      begin: () => this.resumeStream(data, bytes, ends.begin(), { place, forward, upstream: forward.upstream }),
      drop: () => {
        ends.drop();
        this.leave(place);
      },
    };
  }

  private resumeStream(
    data: PackedStream,
    [ahead, held]: readonly Buffer[],
    [transport, responding]: readonly Transport[],
    { place, forward, upstream }: Place,
  ): void {
    const { context, home, http1, pools } = this.plane;
    const { bytesReceived, bytesSent } = data.entry;
    const head = Http1Head.unpack(data.head, context.limits)(transport!);
    const client = new Http1Client(context, home, transport!);
    http1.add(client);
    const exchange = Object.assign(new Exchange(context, client, head), { bytesReceived, bytesSent });
    exchange.unpack(data.exchange, held!, { forward, upstream });
    context.options.ledger.replace(place, exchange, place.kind);
    followPumps([transport!], () => client.endInOrder());
    followPumps([responding!], () => close(exchange));
    exchange.join(pools.adopt(upstream, data.upstream, responding!, exchange));
    client.unpackResponding(exchange, head, data.writer, ahead!);
    responding!.resume();
    place.arrived(exchange);
    context.options.arrived?.(exchange, data.entry.order);
  }

  private takeUpgraded(connection: UpgradedConnection): Departure | StayReason {
    const { ends, obstacle, forwardRecord } = connection;
    if (ends === undefined) return obstacle ?? 'closing';
    const isInTheWay = obstacle !== 'pending' || !canGoPending(ends, this.plane);
    if (obstacle !== undefined && isInTheWay) return obstacle;
    if (this.isAwaited(connection)) return 'moving';
    if (forwardRecord === undefined) return 'unknown';
    const taken = takeEnds(ends, this.plane, 2);
    if (typeof taken === 'string') return taken;
    const { ledger } = this.plane.context.options;
    const { tunnel, forward, resume, isOpaque, messages } = connection.pack();
    const entry = this.packEntry(connection);
    const kept = packResume(resume, 2 + taken.states.length);
    const recorded = messages === undefined ? [] : [messages.pack()];
    const data: PackedUpgrade = {
      ...{ type: 'upgrade', ends: [taken.ends[0]!, taken.ends[1]!], entry, isOpaque, forward: forwardRecord },
      resume: kept.resume,
      ...(messages && { messages: 2 + taken.states.length + kept.bytes.length }),
      relays: [tunnel.client.past!, tunnel.upstream.past!],
      idleMs: tunnel.idleMs,
    };
    const heads = [tunnel.client.head, tunnel.upstream.head];
    const place = new InTransit(entry);
    const upstream = connection.destination;
    ledger.replace(connection, place, connection.kind);
    return {
      ...{ data, bytes: [...heads, ...taken.states, ...kept.bytes, ...recorded], handles: taken.handles },
      keep: () => this.resumeUpgraded(data, heads, taken.keep(), { place, forward, upstream, resume, messages }),
      release: () => {
        taken.release();
        messages?.leave();
        this.leave(place);
      },
    };
  }

  private arriveUpgraded(packed: Packed): Arrival {
    const { data, bytes, handles } = packed;
    if (data.type !== 'upgrade') throw new Error(`A connection must be an upgraded one, got ${data.type}`);
    const forward = this.findForward(data.forward);
    const ends = openEnds(data.ends, handles, bytes, this.plane);
    const place = this.enter(data.entry);
    return {
      begin: () => {
        const resume = this.unpackResume(data.resume, bytes);
        const messages = data.messages === undefined ? undefined : this.unpackMessages(bytes[data.messages]!);
        const { upstream } = forward;
        this.resumeUpgraded(data, bytes, ends.begin(), { place, forward, upstream, resume, messages });
      },
      drop: () => {
        ends.drop();
        this.leave(place);
      },
    };
  }

  private resumeUpgraded(
    data: PackedUpgrade,
    heads: readonly Buffer[],
    transports: readonly Transport[],
    { place, forward, upstream, resume, messages }: Resuming,
  ): void {
    const { context } = this.plane;
    const ends = transports.map((transport, index) => ({
      transport,
      head: heads[index]!,
      past: data.relays[index]!,
    }));
    const connection = new UpgradedConnection(context, forward, data.entry, resume, upstream, messages);
    context.options.ledger.replace(place, connection, place.kind);
    followPumps(transports, () => close(connection));
    connection.continue({ client: ends[0]!, upstream: ends[1]!, idleMs: data.idleMs }, data.isOpaque);
    place.arrived(connection);
    context.options.arrived?.(connection, data.entry.order);
  }

  /** The other process does not know of the order. */
  private isAwaited(entry: LedgerEntry): boolean {
    return this.plane.context.options.isAwaited?.(entry) === true;
  }

  private findForward(record: object): Forward {
    const { resumeForward } = this.plane.context.options;
    if (resumeForward === undefined) throw new Error('It is not known here where a connection of another process goes');
    return resumeForward(record);
  }

  /** Into the ledger of this process. */
  private enter(entry: PackedEntry): InTransit {
    const place = new InTransit(entry);
    const enteredMs = performance.now() - entry.ageMs;
    this.plane.context.options.ledger.takeOver(place, entry.kind, enteredMs, entry.isCarried);
    return place;
  }

  /** Another process has it. */
  private leave(place: InTransit): void {
    this.plane.context.options.ledger.handOver(place);
    place.arrived(undefined);
  }

  private unpackResume(packed: PackedResume | MoveRejection, bytes: readonly Buffer[]): Resume | MoveRejection {
    if (typeof packed === 'string') return packed;
    if (packed.tap === undefined) return Resume.unpack(packed, undefined);
    const tap = this.plane.context.moves?.unpackTap(bytes[packed.tap]!);
    return tap === undefined ? 'cannotResume' : Resume.unpack(packed, tap);
  }

  private unpackMessages(packed: Buffer): MessageRecording | undefined {
    return this.plane.context.options.resumeMessages?.(packed);
  }

  private packEntry(entry: LedgerEntry): PackedEntry {
    const { kind, path, clientAddress, enteredMs, bytesReceived, bytesSent } = entry;
    const { ledger, pendingOrder } = this.plane.context.options;
    const known = { kind, path, clientAddress, ageMs: performance.now() - enteredMs, bytesReceived, bytesSent };
    return { ...known, isCarried: ledger.isCarried(entry), order: pendingOrder?.(entry) };
  }
}

function close(entry: LedgerEntry): void {
  void entry.close().catch(() => undefined);
}

/** One that is pumped serves no other request: a process lives for it. */
function packUpstream(source: Http1Upstream, { pumped }: PackedEnd): PackedUpstream {
  const packed = source.pack();
  if (pumped === undefined) return packed;
  return { ...packed, response: { ...packed.response, keepsAlive: false } };
}

/** @param at the number of the first bytes that come with it */
function packResume(
  resume: Resume | MoveRejection,
  at: number,
): { readonly resume: PackedResume | MoveRejection; readonly bytes: readonly Buffer[] } {
  if (typeof resume === 'string') return { resume, bytes: [] };
  return resume.pack(at) ?? { resume: 'cannotResume', bytes: [] };
}

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, ServerOptions } from 'socket.io';
import { Adapter, BroadcastOptions, Session } from 'socket.io-adapter';
import { later } from '../../support/world';

const LAG_MS = 20;

type Stored = Omit<Session, 'missedPackets'>;

const findName = (adapter: Adapter) => (adapter.nsp as { name: string }).name;

/** The class of adapters that recover each other's connections by what they share. */
export function createSharedAdapter(): typeof Adapter {
  const store = new SharedStore();
  return class extends Adapter {
    constructor(nsp: ConstructorParameters<typeof Adapter>[0]) {
      super(nsp);
      store.join(this);
    }

    override persistSession(session: Stored): void {
      store.sessions.set(session.pid, session);
    }

    override restoreSession(pid: string, offset: string): Promise<Session> {
      return store.restore(findName(this), pid, offset);
    }

    override broadcast(packet: { type: number; id?: number; data: unknown[] }, opts: BroadcastOptions): void {
      store.add(findName(this), packet, opts);
      super.broadcast(packet, opts);
      // By a stream that the other servers read: a session that is restored meanwhile has the event already.
      for (const each of store.listOthers(this)) {
        setTimeout(() => Adapter.prototype.broadcast.call(each, packet, opts), LAG_MS);
      }
    }
  };
}

/** Sessions, and events with their offsets. */
class SharedStore {
  readonly sessions = new Map<string, Stored>();
  private readonly events: { nsp: string; offset: string; data: unknown[]; opts: BroadcastOptions }[] = [];
  private readonly adapters = new Map<string, Set<Adapter>>();

  join(adapter: Adapter): void {
    const name = findName(adapter);
    this.adapters.set(name, (this.adapters.get(name) ?? new Set()).add(adapter));
  }

  listOthers(adapter: Adapter): Adapter[] {
    return [...(this.adapters.get(findName(adapter)) ?? [])].filter((each) => each !== adapter);
  }

  add(nsp: string, packet: { id?: number; data: unknown[] }, opts: BroadcastOptions): void {
    if (packet.id !== undefined || opts.flags?.volatile) return;
    const offset = `${Date.now()}-${this.events.length}`;
    packet.data.push(offset);
    this.events.push({ nsp, offset, data: packet.data, opts });
  }

  /** As the adapter for Redis streams: a session is taken once. */
  async restore(nsp: string, pid: string, offset: string): Promise<Session> {
    const session = this.sessions.get(pid);
    this.sessions.delete(pid);
    const from = this.events.findIndex((event) => event.offset === offset);
    if (session === undefined || from < 0) throw new Error('session or offset not found');
    const missed = this.events.slice(from + 1).filter((event) => {
      const { rooms, except = new Set() } = event.opts;
      const isIncluded = rooms.size === 0 || session.rooms.some((room) => rooms.has(room));
      return event.nsp === nsp && isIncluded && !session.rooms.some((room) => except.has(room));
    });
    return { ...session, missedPackets: missed.map(({ data }) => data) };
  }
}

/** A server of socket.io on a port of its own. */
export async function startSocketIo(options: Partial<ServerOptions>): Promise<{ io: Server; port: number }> {
  const http = createServer();
  const io = new Server(http, options);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  later(() => io.close());
  return { io, port: (http.address() as AddressInfo).port };
}

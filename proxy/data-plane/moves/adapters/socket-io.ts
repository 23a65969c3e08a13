import type { Followed, Handshake, Message, MoveAdapter, Replay, ReplayStep } from './adapter';
import {
  ENGINE,
  Packet,
  findLastText,
  findOffsetMs,
  formatConnect,
  isLaterOffset,
  isOffset,
  parseData,
  parseObject,
  parsePacket,
} from './socket-io-packet';

/** Restoring a session makes the adapter for Redis streams read its stream up to a hundred times. */
const CONCURRENCY = 8;
/** The old backend stores a session when its connection has closed, which may be later than we see it. */
const WAITS_MS = [25, 150, 600];
/** What is kept of one connection. */
const MAX_NAMESPACES = 64;
const MAX_AUTH_BYTES = 65_536;
const MAX_OPEN_ACKS = 1_000;
const MAX_HELD_BYTES = 2 ** 20;
/** Offsets of the last events, which a new backend may say again. */
const RECENT_OFFSETS = 256;
/** An event of another server may come so much behind a later one of its own. */
const LAG_MS = 1_000;

/**
 * socket.io 4 over a WebSocket: the session goes on with its id, its rooms, and all events that it missed, where the server has
 * `connectionStateRecovery` and an adapter that both backends share.
 *
 * @see https://socket.io/docs/v4/connection-state-recovery
 */
export const SOCKET_IO: MoveAdapter = {
  name: 'socket.io',
  concurrency: CONCURRENCY,
  waitsMs: WAITS_MS,
  recognizes: ({ url }) => {
    const query = parseQuery(url);
    return query.get('EIO') === '4' && query.get('transport') === 'websocket';
  },
  follow: (handshake) => new SocketIoConnection(handshake),
  unpack: (state, handshake) => SocketIoConnection.unpack(state as PackedSocketIo, handshake),
};

function parseQuery(url: string): URLSearchParams {
  const at = url.indexOf('?');
  return new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
}

interface PackedNamespace {
  readonly auth: string;
  readonly sid?: string | undefined;
  readonly pid?: string | undefined;
  readonly offset?: string | undefined;
  readonly recent: readonly string[];
  readonly forgottenMs: number;
  readonly completeMs: number;
}

interface PackedSocketIo {
  readonly namespaces: readonly (readonly [string, PackedNamespace])[];
  readonly heartbeatMs?: number | undefined;
  readonly openAcks: readonly string[];
  readonly attachments: Readonly<Record<End, number>>;
}

/** A namespace that the client is connected to, or asked for. */
class Namespace {
  /** Undefined until the server has accepted. */
  sid: string | undefined = undefined;
  pid: string | undefined = undefined;
  /** Of the last event in the order of the server. */
  offset: string | undefined = undefined;
  private readonly recent: string[] = [];
  /** The time of the latest that is no longer in `recent`. */
  private forgottenMs = 0;
  /** Before it nothing is on its way to the client. */
  private completeMs = 0;

  /** @param auth the JSON that the client connected with, or nothing */
  constructor(readonly auth: string) {}

  static unpack({ auth, sid, pid, offset, recent, forgottenMs, completeMs }: PackedNamespace): Namespace {
    const namespace = new Namespace(auth);
    namespace.sid = sid;
    namespace.pid = pid;
    namespace.offset = offset;
    namespace.recent.push(...recent);
    namespace.forgottenMs = forgottenMs;
    namespace.completeMs = completeMs;
    return namespace;
  }

  pack(): PackedNamespace {
    const { auth, sid, pid, offset, recent, forgottenMs, completeMs } = this;
    return { auth, sid, pid, offset, recent, forgottenMs, completeMs };
  }

  saw(offset: string): void {
    this.recent.push(offset);
    if (this.offset === undefined || isLaterOffset(offset, this.offset)) this.offset = offset;
    if (this.recent.length > RECENT_OFFSETS) {
      this.forgottenMs = Math.max(this.forgottenMs, findOffsetMs(this.recent.shift()!) ?? 0);
    }
  }

  /**
   * Where the next server has to begin: as far before the last event as another one may still have been on its way. Without a time in
   * the offsets that is the last event itself.
   */
  restart(): string | undefined {
    const lastMs = this.offset === undefined ? undefined : findOffsetMs(this.offset);
    if (lastMs === undefined) return this.offset;
    this.completeMs = Math.max(lastMs - LAG_MS, this.forgottenMs + 1);
    const before = this.recent.filter((offset) => (findOffsetMs(offset) ?? 0) < this.completeMs);
    const later = (one: string, other: string) => (isLaterOffset(one, other) ? one : other);
    const earlier = (one: string, other: string) => (isLaterOffset(one, other) ? other : one);
    return before.length > 0 ? before.reduce(later) : this.recent.reduce(earlier);
  }

  /** Whether the client has had an event, or it was not for it: what is older than an event may be late is known to the end. */
  hasHad(offset: string): boolean {
    return this.recent.includes(offset) || (findOffsetMs(offset) ?? Infinity) < this.completeMs;
  }
}

type End = 'client' | 'backend';

class SocketIoConnection implements Followed {
  readonly namespaces = new Map<string, Namespace>();
  /** How long the client waits for a ping. Undefined until the server has opened. */
  heartbeatMs: number | undefined = undefined;
  /** By whose event it is that waits for one. */
  private readonly openAcks = new Set<string>();
  private readonly attachments: Record<End, number> = { client: 0, backend: 0 };
  private fault: string | undefined;

  constructor(private readonly handshake: Handshake) {
    // Its namespaces were connected by requests that did not pass here.
    if (parseQuery(handshake.url).has('sid'))
      this.fault = 'It began with long polling, so that its session is not known';
  }

  static unpack({ namespaces, heartbeatMs, openAcks, attachments }: PackedSocketIo, handshake: Handshake): Followed {
    const connection = new SocketIoConnection(handshake);
    for (const [name, packed] of namespaces) connection.namespaces.set(name, Namespace.unpack(packed));
    connection.heartbeatMs = heartbeatMs;
    for (const ack of openAcks) connection.openAcks.add(ack);
    Object.assign(connection.attachments, attachments);
    return connection;
  }

  pack(): PackedSocketIo {
    const { heartbeatMs, attachments } = this;
    const namespaces = [...this.namespaces].map(([name, namespace]) => [name, namespace.pack()] as const);
    return { namespaces, heartbeatMs, openAcks: [...this.openAcks], attachments: { ...attachments } };
  }

  get isLost(): boolean {
    return this.fault !== undefined;
  }

  get rejection(): string | undefined {
    if (this.fault !== undefined) return this.fault;
    for (const [name, { sid, pid, offset }] of this.namespaces) {
      if (sid === undefined) continue;
      if (pid === undefined) return `Its server has no connectionStateRecovery for namespace ${name}`;
      if (offset === undefined) return `No event of namespace ${name} has come that it could go on after`;
    }
    return undefined;
  }

  get isSettled(): boolean {
    if (this.heartbeatMs === undefined || this.openAcks.size > 0) return false;
    if (this.attachments.client > 0 || this.attachments.backend > 0) return false;
    return [...this.namespaces.values()].every(({ sid }) => sid !== undefined);
  }

  fromClient(message: Message): void {
    const packet = this.read(message, 'client');
    if (packet === undefined) return;
    switch (packet.type) {
      case 'connect':
        return this.connects(packet, message.payload);
      case 'disconnect':
        return this.leaves(packet.namespace);
      case 'event':
      case 'binaryEvent':
        return this.asksForAck('client', packet);
      case 'ack':
      case 'binaryAck':
        return this.gotAck('backend', packet);
      case 'connectError':
        return;
    }
  }

  fromBackend(message: Message): void {
    const packet = this.read(message, 'backend');
    if (packet === undefined) return;
    switch (packet.type) {
      case 'connect':
        return this.accepts(packet, message.payload);
      case 'disconnect':
      case 'connectError':
        return this.leaves(packet.namespace);
      case 'event':
      case 'binaryEvent':
        this.asksForAck('backend', packet);
        return this.noteOffset(packet, message.payload);
      case 'ack':
      case 'binaryAck':
        return this.gotAck('client', packet);
    }
  }

  replay(): Replay {
    return new SocketIoReplay(this, this.handshake.url);
  }

  /** The offset of an event that the server would send again. Those that want an ack are not stored, and have none. */
  findOffset({ id, namespace }: Packet, payload: Buffer): string | undefined {
    const text = id === undefined ? findLastText(payload) : undefined;
    return text !== undefined && isOffset(text, this.namespaces.get(namespace)?.offset) ? text : undefined;
  }

  /** The packet that a message is, or begins. */
  private read({ isText, payload }: Message, end: End): Packet | undefined {
    if (this.fault !== undefined) return undefined;
    if (!isText || this.attachments[end] > 0) {
      if (isText || this.attachments[end] === 0) this.fail('It has an encoding that is not known here');
      else this.attachments[end] -= 1;
      return undefined;
    }
    const type = String.fromCharCode(payload[0] ?? 0);
    if (type === ENGINE.open && end === 'backend') this.heartbeatMs = parseHeartbeat(payload)?.timeoutMs;
    if (type !== ENGINE.message) return undefined;
    const packet = parsePacket(payload);
    if (packet === undefined) this.fail('It has an encoding that is not known here');
    else this.attachments[end] = packet.attachments;
    return packet;
  }

  private connects(packet: Packet, payload: Buffer): void {
    if (this.namespaces.has(packet.namespace)) return;
    this.namespaces.set(packet.namespace, new Namespace(payload.toString('utf8', packet.dataAt)));
    const authBytes = [...this.namespaces.values()].reduce((sum, { auth }) => sum + auth.length, 0);
    if (this.namespaces.size > MAX_NAMESPACES) this.fail(`It is connected to over ${MAX_NAMESPACES} namespaces`);
    if (authBytes > MAX_AUTH_BYTES) this.fail(`It connected with over ${MAX_AUTH_BYTES} bytes of credentials`);
  }

  private accepts(packet: Packet, payload: Buffer): void {
    const namespace = this.namespaces.get(packet.namespace);
    const { sid, pid } = parseData(payload, packet) ?? {};
    if (namespace === undefined || typeof sid !== 'string') return;
    namespace.sid = sid;
    namespace.pid = typeof pid === 'string' ? pid : undefined;
  }

  private leaves(name: string): void {
    this.namespaces.delete(name);
    for (const ack of this.openAcks) {
      if (ack.endsWith(` ${name}`)) this.openAcks.delete(ack);
    }
  }

  private asksForAck(by: End, { id, namespace }: Packet): void {
    if (id === undefined) return;
    this.openAcks.add(`${by} ${id} ${namespace}`);
    if (this.openAcks.size > MAX_OPEN_ACKS) this.fail(`Over ${MAX_OPEN_ACKS} of its acks are open`);
  }

  private gotAck(asked: End, { id, namespace }: Packet): void {
    this.openAcks.delete(`${asked} ${id} ${namespace}`);
  }

  private noteOffset(packet: Packet, payload: Buffer): void {
    const offset = this.findOffset(packet, payload);
    if (offset !== undefined) this.namespaces.get(packet.namespace)?.saw(offset);
  }

  private fail(why: string): void {
    this.fault = why;
    this.namespaces.clear();
    this.openAcks.clear();
  }
}

interface Heartbeat {
  readonly intervalMs: number;
  /** Without a ping for this long a client takes the connection for lost. */
  readonly timeoutMs: number;
}

function parseHeartbeat(payload: Buffer): Heartbeat | undefined {
  const { pingInterval, pingTimeout } = parseObject(payload.toString('utf8', 1)) ?? {};
  if (typeof pingInterval !== 'number' || typeof pingTimeout !== 'number') return undefined;
  return { intervalMs: pingInterval, timeoutMs: pingInterval + pingTimeout };
}

const text = (content: string): Message => ({ isText: true, payload: Buffer.from(content) });
const copy = ({ isText, payload }: Message): Message => ({ isText, payload: Buffer.from(payload) });

/** `open`: all namespaces are recovered; what is said twice is still to be dropped. */
type ReplayState = 'opening' | 'connecting' | 'open';

class SocketIoReplay implements Replay {
  readonly first: readonly Message[] = [];
  private state: ReplayState = 'opening';
  /** Namespaces that the server has not recovered, with what it has said in them: missed events come before the `CONNECT`. */
  private readonly waiting = new Map<string, Message[]>();
  private heldBytes = 0;
  /** What becomes of the attachments of the packet before. */
  private attachments: { left: number; readonly to: 'client' | 'nowhere' | Message[] } = { left: 0, to: 'nowhere' };

  constructor(
    private readonly connection: SocketIoConnection,
    readonly url: string,
  ) {
    for (const name of connection.namespaces.keys()) this.waiting.set(name, []);
  }

  /** Of an event that is dropped, its attachments are, too. */
  get isWithin(): boolean {
    return this.attachments.left > 0;
  }

  fromBackend(message: Message): ReplayStep {
    if (!message.isText) return this.takeAttachment(message);
    const type = String.fromCharCode(message.payload[0] ?? 0);
    if (type === ENGINE.message) return this.takePacket(message);
    if (this.state === 'open') return { pass: [message] };
    switch (type) {
      case ENGINE.open:
        return this.state === 'opening' ? this.connect(message.payload) : reject('The new backend opened twice');
      case ENGINE.ping:
        return { send: [text(ENGINE.pong)] };
      case ENGINE.close:
        return reject('The new backend closed the session');
      default:
        return {};
    }
  }

  private connect(payload: Buffer): ReplayStep {
    const heartbeat = parseHeartbeat(payload);
    const clientMs = this.connection.heartbeatMs ?? 0;
    if (heartbeat === undefined) return reject('The new backend does not speak engine.io 4');
    if (heartbeat.intervalMs >= clientMs) {
      return reject(`The new backend pings every ${heartbeat.intervalMs} ms, and the client waits for ${clientMs} ms`);
    }
    this.state = 'connecting';
    const send = [...this.connection.namespaces].map(([name, namespace]) =>
      text(formatConnect(name, { ...parseObject(namespace.auth), pid: namespace.pid, offset: namespace.restart() })),
    );
    return this.waiting.size === 0 ? this.open([]) : { send };
  }

  private takePacket(message: Message): ReplayStep {
    const packet = parsePacket(message.payload);
    if (packet === undefined) return reject('The new backend does not speak socket.io 4');
    switch (packet.type) {
      case 'connect':
        if (!this.waiting.has(packet.namespace)) return this.deliver(packet, message);
        return this.recovered(packet, message.payload);
      case 'connectError':
      case 'disconnect':
        if (!this.waiting.has(packet.namespace)) return this.deliver(packet, message);
        return reject(`The new backend rejected namespace ${packet.namespace}`);
      case 'event':
      case 'binaryEvent':
      case 'ack':
      case 'binaryAck':
        return this.deliver(packet, message);
    }
  }

  private recovered(packet: Packet, payload: Buffer): ReplayStep {
    const { namespace: name } = packet;
    const { sid } = parseData(payload, packet) ?? {};
    if (sid !== this.connection.namespaces.get(name)?.sid) {
      return reject(`The new backend has not recovered the session of namespace ${name}`);
    }
    const held = this.waiting.get(name) ?? [];
    this.waiting.delete(name);
    for (const message of held) this.heldBytes -= message.payload.length;
    return this.waiting.size === 0 ? this.open(held) : { pass: held };
  }

  private open(held: readonly Message[]): ReplayStep {
    this.state = 'open';
    // The new backend pings only after its whole interval, and the old one's next ping is not coming any more.
    return { pass: [...held, text(ENGINE.ping)], opens: true };
  }

  /** Drops what the client has had, keeps what is said in a namespace that is not recovered, and passes the rest. */
  private deliver(packet: Packet, message: Message): ReplayStep {
    const held = this.waiting.get(packet.namespace);
    const isRepeated = this.isRepeated(packet, message.payload);
    this.attachments = { left: packet.attachments, to: isRepeated ? 'nowhere' : (held ?? 'client') };
    if (isRepeated) return {};
    this.connection.fromBackend(message);
    return held === undefined ? { pass: [message] } : this.hold(message, held);
  }

  private isRepeated(packet: Packet, payload: Buffer): boolean {
    if (packet.type !== 'event' && packet.type !== 'binaryEvent') return false;
    const offset = this.connection.findOffset(packet, payload);
    return offset !== undefined && (this.connection.namespaces.get(packet.namespace)?.hasHad(offset) ?? false);
  }

  private takeAttachment(message: Message): ReplayStep {
    const { left, to } = this.attachments;
    if (left === 0) return reject('The new backend sent bytes that belong to nothing');
    this.attachments.left -= 1;
    if (to === 'nowhere') return {};
    this.connection.fromBackend(message);
    return to === 'client' ? { pass: [message] } : this.hold(message, to);
  }

  private hold(message: Message, held: Message[]): ReplayStep {
    this.heldBytes += message.payload.length;
    if (this.heldBytes > MAX_HELD_BYTES) return reject(`It missed more than ${MAX_HELD_BYTES} bytes`);
    held.push(copy(message));
    return {};
  }
}

function reject(rejected: string): ReplayStep {
  return { end: { rejected } };
}

import type { Followed, Handshake, Message, MoveAdapter, Replay, ReplayStep } from './adapter';
import { findOperationType } from './graphql-operation';

/** What is kept of one connection: how it was opened, and its subscriptions. */
const MAX_KEPT_BYTES = 262_144;
const PROTOCOL = 'graphql-transport-ws';

/**
 * GraphQL over WebSocket: subscriptions go on under their ids. What is published between the end at the old backend and the
 * subscription to the new one is not sent to this client, as after a reconnect of its own.
 *
 * @see https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
 */
export const GRAPHQL_TRANSPORT_WS: MoveAdapter = {
  name: PROTOCOL,
  recognizes: ({ subprotocol }) => subprotocol === PROTOCOL,
  follow: (handshake) => new GraphqlConnection(handshake),
  unpack: (state, handshake) => GraphqlConnection.unpack(state as PackedGraphql, handshake),
};

/** The messages of the protocol that matter here, and all others as what they are. */
interface Parsed {
  readonly type: unknown;
  readonly id: unknown;
  readonly payload: unknown;
}

function parse({ isText, payload }: Message): Parsed | undefined {
  if (!isText) return undefined;
  try {
    const value: unknown = JSON.parse(payload.toString());
    if (typeof value !== 'object' || value === null) return undefined;
    const { type, id, payload: inside } = value as Record<string, unknown>;
    return { type, id, payload: inside };
  } catch {
    return undefined;
  }
}

/** `new`: the client has said nothing. `opening`: it asked to be accepted. */
type OpeningState = 'new' | 'opening' | 'acknowledged';

interface PackedGraphql {
  readonly init?: string | undefined;
  readonly subscriptions: readonly (readonly [string, string])[];
  readonly calls: readonly string[];
  readonly state: OpeningState;
  readonly openPings: number;
}

class GraphqlConnection implements Followed {
  /** How the client opened. */
  init: string | undefined = undefined;
  /** As the client sent them, by their ids. */
  readonly subscriptions = new Map<string, string>();
  /** Queries and mutations, and what could be one: their results would be lost, or their effects be had twice. */
  private readonly calls = new Set<string>();
  private state: OpeningState = 'new';
  /** Pings of the client without a pong. */
  private openPings = 0;
  private keptBytes = 0;
  private fault: string | undefined = undefined;

  constructor(private readonly handshake: Handshake) {}

  static unpack({ init, subscriptions, calls, state, openPings }: PackedGraphql, handshake: Handshake): Followed {
    const connection = new GraphqlConnection(handshake);
    connection.init = init;
    for (const [id, said] of subscriptions) connection.subscriptions.set(id, said);
    for (const id of calls) connection.calls.add(id);
    connection.state = state;
    connection.openPings = openPings;
    connection.keptBytes = [init ?? '', ...connection.subscriptions.values()].reduce(
      (sum, { length }) => sum + length,
      0,
    );
    return connection;
  }

  pack(): PackedGraphql {
    const { init, state, openPings } = this;
    return { init, subscriptions: [...this.subscriptions], calls: [...this.calls], state, openPings };
  }

  get rejection(): string | undefined {
    return this.fault;
  }

  get isLost(): boolean {
    return this.fault !== undefined;
  }

  get isSettled(): boolean {
    return this.state !== 'opening' && this.calls.size === 0 && this.openPings === 0;
  }

  fromClient(message: Message): void {
    if (this.fault !== undefined) return;
    const parsed = parse(message);
    if (parsed === undefined) return this.fail('It has an encoding that is not known here');
    const { type, id } = parsed;
    if (type === 'connection_init') this.opens(message.payload.toString());
    else if (type === 'ping') this.openPings += 1;
    else if (typeof id !== 'string') return;
    else if (type === 'subscribe') this.subscribes(id, parsed.payload, message.payload);
    else if (type === 'complete') this.ends(id);
  }

  fromBackend(message: Message): void {
    if (this.fault !== undefined) return;
    if (findType(message) === 'next') return;
    const { type, id } = parse(message) ?? {};
    if (type === 'connection_ack') this.state = 'acknowledged';
    else if (type === 'pong') this.openPings = Math.max(0, this.openPings - 1);
    else if ((type === 'complete' || type === 'error') && typeof id === 'string') this.ends(id);
  }

  replay(): Replay {
    return new GraphqlReplay(this, this.handshake.url);
  }

  private opens(init: string): void {
    // A second one is the client's fault, which the backend closes with 4429.
    if (this.state !== 'new') return;
    this.state = 'opening';
    this.init = init;
    this.keep(init.length);
  }

  private subscribes(id: string, payload: unknown, bytes: Buffer): void {
    if (!isSubscription(payload)) this.calls.add(id);
    // The same id twice is closed by the backend with 4409.
    else if (!this.subscriptions.has(id)) {
      const said = bytes.toString();
      this.subscriptions.set(id, said);
      this.keep(said.length);
    }
  }

  private ends(id: string): void {
    this.calls.delete(id);
    this.keptBytes -= this.subscriptions.get(id)?.length ?? 0;
    this.subscriptions.delete(id);
  }

  private keep(bytes: number): void {
    this.keptBytes += bytes;
    if (this.keptBytes > MAX_KEPT_BYTES) this.fail(`Its subscriptions have over ${MAX_KEPT_BYTES} bytes`);
  }

  private fail(why: string): void {
    this.fault = why;
    this.init = undefined;
    this.subscriptions.clear();
    this.calls.clear();
  }
}

/** Results may be long, and most servers write their type before them: then they are not parsed. */
const TYPE_AHEAD = /^\s*\{\s*(?:"id"\s*:\s*"[^"\\]*"\s*,\s*)?"type"\s*:\s*"(\w+)"/;
const AHEAD_BYTES = 256;

function findType({ isText, payload }: Message): string | undefined {
  return isText ? TYPE_AHEAD.exec(payload.toString('latin1', 0, AHEAD_BYTES))?.[1] : undefined;
}

/** Without its text, as a document that the server has stored, it is not known what it is. */
function isSubscription(payload: unknown): boolean {
  const { query, operationName } = (payload ?? {}) as Record<string, unknown>;
  if (typeof query !== 'string') return false;
  return findOperationType(query, typeof operationName === 'string' ? operationName : undefined) === 'subscription';
}

class GraphqlReplay implements Replay {
  readonly first: readonly Message[];
  readonly isJoined: boolean;

  constructor(
    private readonly connection: GraphqlConnection,
    readonly url: string,
  ) {
    this.first = connection.init === undefined ? [] : [text(connection.init)];
    this.isJoined = connection.init === undefined;
  }

  fromBackend(message: Message): ReplayStep {
    const { type } = parse(message) ?? {};
    if (type === 'ping') return { send: [text('{"type":"pong"}')] };
    if (type === 'pong') return {};
    if (type !== 'connection_ack')
      return { end: { rejected: `The new backend sent '${String(type)}' before its ack` } };
    return { send: [...this.connection.subscriptions.values()].map(text), end: 'joined' };
  }
}

const text = (content: string): Message => ({ isText: true, payload: Buffer.from(content) });

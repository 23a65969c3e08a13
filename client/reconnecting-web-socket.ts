import {
  createEvent,
  EVENT_TYPES,
  Reconnecting,
  type BackOffOptions,
  type TypedEventTarget,
  type Writable,
} from './reconnecting';

/**
 * What `send` takes, as that of `WebSocket`.
 *
 * @example
 * const message: WebSocketMessage = new Uint8Array([1, 2, 3]);
 * new ReconnectingWebSocket('wss://shop.example.com/orders').send(message);
 */
export type WebSocketMessage = string | ArrayBuffer | ArrayBufferView<ArrayBuffer> | Blob;

/**
 * Where to connect to: a URL, or a function that is called before each connection. It may return a promise: of a URL with a fresh login, or
 * with the token of the session that is to go on. If it throws, that is an attempt that failed.
 *
 * @example
 * let token = '';
 * const url: ReconnectingWebSocketUrl = () => `wss://shop.example.com/chat?resume=${token}`;
 * const socket = new ReconnectingWebSocket(url);
 * socket.onmessage = ({ data }) => {
 *   const message = JSON.parse(String(data)) as { token?: string };
 *   token = message.token ?? token;
 * };
 */
export type ReconnectingWebSocketUrl = string | URL | (() => string | URL | Promise<string | URL>);

/**
 * How a message is acknowledged. Without it a message is sent at most once, and may be lost with its connection.
 *
 * The server acknowledges an id after it has processed its message. If it gets an id again, it acknowledges it again and does not process it. Ids
 * are `SENDER-1`, `SENDER-2` and so on, with a random SENDER for each object. Each connection has them in order.
 *
 * @example
 * const ack: Acknowledgement = {
 *   write: (data, id) => JSON.stringify({ id, order: data }),
 *   read: (data) => (JSON.parse(String(data)) as { ack?: string }).ack,
 * };
 * const socket = new ReconnectingWebSocket('wss://shop.example.com/orders', [], { ack });
 * socket.send('one espresso');
 */
export interface Acknowledgement {
  /** Returns the message with the id. It is called again, with the same id, if the message has to be sent again. */
  write(data: WebSocketMessage, id: string): WebSocketMessage;
  /** Returns the id that a message of the server acknowledges, if it is such a message. It gets all of them, after the application. */
  read(data: unknown): string | undefined;
}

/**
 * What a `ReconnectingWebSocket` can do beside what a `WebSocket` does.
 *
 * @example
 * const options: ReconnectingWebSocketOptions = { idleTimeoutMs: 45_000, maxQueue: 20 };
 * const socket = new ReconnectingWebSocket('wss://shop.example.com/prices', 'prices.v1', options);
 */
export interface ReconnectingWebSocketOptions extends BackOffOptions {
  /**
   * Sends again what the server has not acknowledged when its connection was lost.
   * @default a message is sent at most once
   */
  readonly ack?: Acknowledgement;
  /** Called with each new connection, to send on it what comes before everything else: a login, the token of a session. */
  readonly greet?: (connection: Pick<WebSocket, 'send' | 'protocol'>) => void;
  /**
   * Milliseconds for the handshake, and without a message after which the connection counts as lost. The server must then send more often.
   * @default 10000 for the handshake, and no limit after it
   */
  readonly idleTimeoutMs?: number;
  /**
   * Messages that may wait to be sent or acknowledged. For one more `send` throws.
   * @default 1000
   */
  readonly maxQueue?: number;
  /**
   * Whether to connect again.
   * @default by the code: 1001, 1005, 1006, 1011, 1012, 1013 and 1014 connect again, others do not
   * @param event of the connection or the attempt that ended
   * @param tries waits since the last connection that was open for five seconds
   */
  readonly reconnect?: (event: CloseEvent, tries: number) => boolean | undefined;
}

/**
 * The events of a `ReconnectingWebSocket`. They are those of a `WebSocket`, for each connection.
 *
 * @example
 * const listener = ({ code }: ReconnectingWebSocketEventMap['close']) => console.log(code);
 * new ReconnectingWebSocket('wss://shop.example.com/prices').addEventListener('close', listener, { once: true });
 */
export interface ReconnectingWebSocketEventMap {
  close: CloseEvent;
  error: Event;
  message: MessageEvent;
  open: Event;
}

/** A connection, or nothing yet: neither is another one. */
type Connection = Partial<WebSocket>;

type BlobParts = ConstructorParameters<typeof Blob>[0];

interface InternalOptions extends ReconnectingWebSocketOptions {
  readonly url: ReconnectingWebSocketUrl;
  readonly protocols?: string | string[];
}

// The types of its listeners.
// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging, @typescript-eslint/no-empty-object-type -- it only adds the types of the listeners to the class
export interface ReconnectingWebSocket extends TypedEventTarget<ReconnectingWebSocketEventMap> {}

/**
 * A `WebSocket` that connects again. Constructor, properties, methods and events are those of `WebSocket`.
 *
 * - `close` is dispatched for each connection that ended. If it connects again, `readyState` is then `CONNECTING`; at the end it is `CLOSED`.
 * - `send` keeps a message while there is no connection, up to `maxQueue`.
 *
 * @example
 * const socket = new ReconnectingWebSocket('wss://shop.example.com/prices');
 * socket.onmessage = ({ data }) => console.log(data);
 * socket.onclose = ({ code }) => {
 *   console.log(socket.readyState === ReconnectingWebSocket.CLOSED ? `the end: ${code}` : 'connecting again');
 * };
 * socket.send('subscribe');
 */
// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging -- with the types of its listeners
export class ReconnectingWebSocket extends Reconnecting {
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  readonly CLOSING = 2;
  readonly CLOSED = 3;
  declare onerror: ((event: Event) => unknown) | null;
  onclose: ((event: CloseEvent) => unknown) | null = null;

  /** Of the last connection, as the next two. */
  readonly url: string = '';
  readonly protocol: string = '';
  readonly extensions: string = '';
  /** @internal */
  declare protected readonly _options: InternalOptions;
  #connection: Connection = {};
  #binaryType: 'blob' | 'arraybuffer' = 'blob';
  readonly #queue = new Map<string, WebSocketMessage>();
  readonly #sender = Math.random();
  #count = 0;
  #openedMs = 0;

  /** @throws SyntaxError if the URL or a protocol is none, as `WebSocket` does */
  constructor(
    url: ReconnectingWebSocketUrl,
    protocols?: string | string[],
    options: ReconnectingWebSocketOptions = {},
  ) {
    super({ ...options, url, protocols } as InternalOptions);
    this._connect();
  }

  get binaryType(): 'blob' | 'arraybuffer' {
    return this.#binaryType;
  }

  set binaryType(type: 'blob' | 'arraybuffer') {
    this.#connection.binaryType = this.#binaryType = type;
  }

  /** Bytes that are not sent yet; with `ack` those that are not acknowledged. */
  get bufferedAmount(): number {
    // Where none wait: those of the connection.
    // eslint-disable-next-line @typescript-eslint/prefer-nullish-coalescing -- 0 is no size that counts
    return new Blob(this.pending as BlobParts).size || this.#connection.bufferedAmount || 0;
  }

  /** The messages that are not sent yet; with `ack` those that are not acknowledged. */
  get pending(): readonly WebSocketMessage[] {
    return [...this.#queue.values()];
  }

  /**
   * Sends a message, or keeps it until there is a connection.
   *
   * @throws RangeError if `maxQueue` messages are waiting
   */
  send(data: WebSocketMessage): void {
    const { ack, maxQueue = 1000 } = this._options;
    const isOpen = this.#connection.readyState === 1;
    if (isOpen && !ack) return this.#connection.send!(data);
    if (this.#queue.size >= maxQueue) throw RangeError(`'maxQueue' is ${maxQueue}`);
    const id = `${this.#sender}-${++this.#count}`;
    // The bytes as they are now, as `WebSocket` takes them.
    this.#queue.set(id, structuredClone(data));
    if (isOpen) this.#connection.send!(ack!.write(data, id));
  }

  /** Closes the connection, and connects no more. What waits stays in `pending`. */
  close(code?: number, reason?: string): void {
    if (this.readyState > 1) return;
    const connection = this.#connection;
    if (connection.readyState === 1) connection.close!(code, reason);
    else {
      this.#connection = {};
      this._limit(0, () => this.#closed());
      connection.close?.();
    }
    (this as Writable<this>).readyState = 2;
  }

  /** @internal */
  protected _connect(): void {
    const { url, protocols, ack, greet, idleTimeoutMs = 10_000 } = this._options;
    // What an earlier attempt or connection still reports is not for us.
    let connection = {} as WebSocket;
    this.#connection = connection;
    const flush = () => {
      for (const [id, data] of this.#queue) {
        connection.send(ack ? ack.write(data, id) : data);
        if (!ack) this.#queue.delete(id);
      }
    };
    const take = (event: Event) => {
      if (event.target !== this.#connection) return;
      const { type } = event;
      // One event cannot be dispatched twice.
      const copy = new (event.constructor as typeof Event)(type, event);
      if (type === 'close') return this.#closed(copy as CloseEvent);
      this._limit();
      if (type === 'open') {
        (this as Writable<this>).readyState = 1;
        (this as Writable<this>).protocol = connection.protocol;
        (this as Writable<this>).extensions = connection.extensions;
        this.#openedMs = Date.now();
        greet?.(connection);
        // Ids are sent in order, before those of a handler.
        if (ack) flush();
      }
      this.dispatchEvent(copy);
      // Unless a handler has closed it.
      if (type === 'open' && !ack && this.readyState < 2) flush();
      // After the application: what it did not see must not count.
      if (type === 'message') this.#queue.delete(ack?.read((event as MessageEvent).data) as string);
    };
    const dial = (to: string | URL) => {
      if (connection !== this.#connection) return;
      this.#connection = connection = new WebSocket(to, protocols);
      (this as Writable<this>).url = connection.url;
      connection.binaryType = this.#binaryType;
      for (const type of EVENT_TYPES) connection[`on${type}`] = take;
    };
    if (typeof url === 'function') {
      (async () => dial(await url()))().catch((error) => {
        if (connection === this.#connection) this._lose(error);
      });
    } else dial(url);
    this._limit(idleTimeoutMs);
  }

  #closed(event = createEvent('close', { code: 1006, reason: '', wasClean: false })): void {
    this.#connection = {};
    if (this.readyState === 1 && Date.now() - this.#openedMs > 5000) this._tries = 0;
    // Going away, no code, lost, server error, restart, try again later, bad gateway (RFC 6455, 7.4.1; IANA's registry).
    this._end(/^10(0[156]|1[1-4])/.test(event.code as unknown as string), event);
  }

  /** @internal A socket would not end it, or not soon. */
  protected _lose(error: unknown): void {
    const connection = this.#connection;
    this.dispatchEvent(createEvent('error', { error }));
    this.#closed();
    connection.close?.();
  }
}

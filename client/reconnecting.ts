/**
 * How long a client waits before it connects again: a draw between nothing and a range that doubles.
 *
 * @example
 * const options: BackOffOptions = { minDelayMs: 500, maxDelayMs: 60_000 };
 * const socket = new ReconnectingWebSocket('wss://shop.example.com/prices', [], options);
 */
export interface BackOffOptions {
  /**
   * Milliseconds below which the first wait is drawn.
   * @default 1000
   */
  readonly minDelayMs?: number;
  /**
   * Milliseconds below which every wait is drawn, however many attempts failed before it.
   * @default 30000
   */
  readonly maxDelayMs?: number;
}

/** A listener of one kind of event: a function, or an object with a method. */
export type TypedListener<E> = ((event: E) => unknown) | { handleEvent(event: E): unknown };

/** An `EventTarget` that knows the types of its events. */
export interface TypedEventTarget<Events> extends EventTarget {
  addEventListener<K extends keyof Events>(type: K, listener: TypedListener<Events[K]>, options?: AddOptions): void;
  addEventListener(type: string, listener: Listener, options?: AddOptions): void;
  removeEventListener<K extends keyof Events>(
    type: K,
    listener: TypedListener<Events[K]>,
    options?: RemoveOptions,
  ): void;
  removeEventListener(type: string, listener: Listener, options?: RemoveOptions): void;
}

type Listener = Parameters<EventTarget['addEventListener']>[1];
type AddOptions = Parameters<EventTarget['addEventListener']>[2];
type RemoveOptions = Parameters<EventTarget['removeEventListener']>[2];

/** What a class writes itself, and its users only read. */
export type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** @internal */
export interface InternalOptions extends BackOffOptions {
  readonly idleTimeoutMs?: number;
  readonly reconnect?: (event: never, tries: number) => boolean | undefined;
}

export const EVENT_TYPES = ['open', 'message', 'error', 'close'] as const;

/** @returns an event that says this: Node 22 has no class for close events */
export function createEvent<T>(type: string, fields: T): Event & T {
  return Object.assign(new Event(type), fields);
}

/**
 * What both clients share: handlers, the wait for the next attempt, and the limit of what is under way. One timer does both.
 *
 * Names that begin with an underscore are shortened in the bundle.
 */
export abstract class Reconnecting extends (EventTarget as new () => Pick<EventTarget, 'dispatchEvent'>) {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  abstract readonly CLOSED: number;

  onopen: ((event: Event) => unknown) | null = null;
  onmessage: ((event: MessageEvent) => unknown) | null = null;
  onerror: ((event: never) => unknown) | null = null;
  readonly readyState: number = 0;

  /** @internal Waits since the last connection that was good. */
  protected _tries = 0;
  /** @internal */
  declare protected _timer: ReturnType<typeof setTimeout> | undefined;
  /** @internal */
  declare protected readonly _options: InternalOptions;

  /** @internal */
  protected constructor(options: InternalOptions) {
    super();
    this._options = options;
    for (const type of EVENT_TYPES) {
      // As of a browser: `this` is the target, and the event is being dispatched.
      (this as unknown as EventTarget).addEventListener(type, (event) =>
        (this as unknown as Handlers)[`on${type}`]?.(event),
      );
    }
  }

  /** @internal Makes an attempt. */
  protected abstract _connect(): unknown;

  /** @internal Gives up what is under way. */
  protected abstract _lose(error: unknown): void;

  /** @internal Calls back after this time; a negative one ends what was begun. */
  protected _limit(
    ms = this._options.idleTimeoutMs,
    callBack = () => this._lose(Error(`'idleTimeoutMs' is ${ms}`)),
  ): void {
    clearTimeout(this._timer);
    // A timer of more than 2³¹ ms ends at once.
    if (ms! >= 0) this._timer = setTimeout(callBack, Math.min(ms!, 2e9));
  }

  /**
   * @internal After an attempt or a connection: connects again, or not.
   *
   * The wait is exponential back-off with full jitter, so that clients that were cut together do not connect together.
   *
   * @param floorMs what the server asked for; the draw is added to it
   */
  protected _end(isDefault: unknown, event: Event & { readonly code?: number }, floorMs = 0): void {
    const { minDelayMs = 1000, maxDelayMs = 30_000, reconnect } = this._options;
    const isAgain = this.readyState < 2 && (reconnect?.(event as never, this._tries) ?? isDefault);
    (this as Writable<this>).readyState = isAgain ? 0 : this.CLOSED;
    // 1012 restart, 1013 try again later: the server is as good as there, and a quarter spreads its clients.
    const range = Math.min(maxDelayMs, minDelayMs * 2 ** this._tries++) * (event.code! >> 1 === 506 ? 0.25 : 1);
    this._limit(isAgain ? floorMs + Math.random() * range : -1, () => this._connect());
    this.dispatchEvent(event);
  }
}

type Handlers = Record<string, ((event: Event) => unknown) | null>;
